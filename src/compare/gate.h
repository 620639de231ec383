// The statistics of the regression gate: does head take longer than base, by more than noise and by more than anyone
// cares about?
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "measure/statistics.h"

namespace moetune {

/// What became of a row.
enum class Finding {
  wrong,         ///< head's output did not pass
  slower,        ///< the whole interval lies beyond the margin
  missing,       ///< base measured it and head did not
  changed,       ///< both measured it, but not the same thing or not on the same thing
  inconclusive,  ///< the interval reaches across the margin
  faster,
  same,   ///< the whole interval lies within the margin, and noise is below 10 %
  added,  ///< head measured it and base did not
};
/// "SLOWER"
std::string_view to_string(Finding finding);

struct GateRule {
  double margin = 0.02;       ///< a row may take this much longer
  double mean_margin = 0.01;  ///< the geometric mean of all rows may
  double noise = 0;           ///< a noise floor known beforehand; counts where it is larger than that of the runs
  int least_pairs = 5;        ///< with fewer nothing can be told for sure: margins double, and findings only warn
};

/// A run of base and the run of head next to it.
struct Pair {
  Summary base, head;
};

struct Judgement {
  Finding finding = Finding::inconclusive;
  Ratio ratio;        ///< time of head over time of base: above 1 is slower
  double margin = 0;  ///< that was applied, noise included
  double noise = 0;   ///< the noise floor of the runs
  int pairs = 0;
  bool only_warns = false;  ///< too few pairs to fail a build over it
  std::string reason;       ///< what the figures do not say
};

/// How far from 1 a ratio over so many pairs may come though nothing differs (95 % stay below), going by runs of the
/// same side. In the order base head, head base, base head, … the second and third run of base are neighbours, as are
/// the first and second of head, and so on: their ratios are an A/A test inside the A/B test. 0 for fewer than 5 runs.
double noise_floor(std::span<const double> base_us, std::span<const double> head_us);

/// One row. The interval is over pairs, never over pooled samples: samples of one process share its offset (of clocks,
/// of memory layout), and a test that takes them for independent sees a difference between any two processes. A single
/// pair has the intervals of its two runs, widened by what runs usually differ. Where head seems slower, clocks were
/// recorded and differ by more than 2 %, the same is asked of cycles: a card that clocked lower is no slower code.
/// Throws std::invalid_argument for no pair and for times that are not positive.
Judgement judge(std::span<const Pair> pairs, const GateRule& rule);

/// The geometric mean over rows, for the pairs that all of them have. The interval is the wider of one over pairs and
/// of a bootstrap over rows and pairs at once. Throws as judge() does.
Judgement judge_mean(std::span<const std::vector<Pair>> rows, const GateRule& rule);

/// Head against what earlier runs measured, oldest first, for drift too slow for any pair to show. Only warns: other
/// days are no pairs. Inconclusive, without a ratio, where there are fewer than 5 of them.
Judgement judge_drift(std::span<const double> earlier_us, double now_us, const GateRule& rule);

}  // namespace moetune
