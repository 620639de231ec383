#pragma once

#include <cstddef>
#include <vector>

#include "space/config.h"

namespace moetune {

/// A pipeline config that goes into the finals.
struct Finalist {
  PipelineConfig config;
  bool is_default = false;  ///< the first choice of those who make no measurements

  bool operator==(const Finalist&) const = default;
};

/// How a finalist did: its medians of the rounds it took part in, empty where it failed.
struct Standing {
  Finalist finalist;
  std::vector<double> round_medians;
};

/// Closer than this is a tie on any device, however narrow the interval.
inline constexpr double kTieMargin = 0.005;

struct Ranking {
  std::vector<std::size_t> order;  ///< indices into the standings, the winner first; without those that failed
  std::size_t ties = 0;            ///< the first so many cannot be told apart, the winner among them
  /// That another one is the fastest of rounds drawn anew from those there were; 0 where there is no other.
  double flip_probability = 0;
};

/// Those within `margin` (a share) of the fastest, or whose paired interval to it does not exclude that they are as
/// fast, tie with it. Among these the default comes first, then those within the margin, in the order of their labels,
/// so that noise does not decide; all others follow by time: where rounds are few and noisy, what is 3 % behind ties
/// too, and a label is a worse guess than its time. So a winner other than the default has beaten it by more than the
/// margin, with an interval clear of 1.
///
/// `draws`: round r had draw r mod `draws` of the routing (see speedup()).
Ranking rank(const std::vector<Standing>& standings, double margin = kTieMargin, int draws = 1);

}  // namespace moetune
