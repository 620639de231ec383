#pragma once

#include <span>
#include <string>
#include <vector>

namespace moetune {

/// A sample of times and its 95 % interval of the median (order statistics). No sample is ever deleted.
struct Summary {
  double median_us = 0;
  double ci_low_us = 0, ci_high_us = 0;
  double min_us = 0, p10_us = 0, p90_us = 0;
  int n = 0;
  std::string stopped_by;              ///< "interval" or "cap"; see measure/sampler.h
  double sm_clock_mhz = 0;             ///< of a GPU's multiprocessors meanwhile, the median; 0 where it was not read
  std::vector<std::string> slowed_by;  ///< what kept that clock down, in any of the visits, sorted; see ClockState
  int slow_visits = 0;  ///< kept although that clock was far below its best, three times over; see measure/sampler.h
  std::vector<double> rounds_us;  ///< the median of each round, where there were several

  /// Half the interval as a share of the median; infinite where there is no median.
  double relative_half_width() const;

  bool operator==(const Summary&) const = default;
};

/// Everything but `stopped_by` and what is said of clocks. The interval runs between the k-th sample from below
/// and from above, k the largest for which it covers the median with at least 95 % whatever the distribution; with
/// fewer than 6 samples no k does, and it is the whole range. An empty sample gives n = 0.
Summary summarise(std::span<const double> samples_us);

/// The same where round r had draw r mod `draws` of the routing. The median is the mean of the draws' medians and its
/// interval leaves out how much these differ; least, p10 and p90 are those of all samples.
Summary summarise_draws(std::span<const std::vector<double>> rounds_us, int draws);

/// The 97.5 % quantile of Student's t; degrees >= 1.
double student_t(std::size_t degrees);

double median(std::span<const double> values);
double geometric_mean(std::span<const double> values);  ///< of positive values

/// The ratio of two medians with a 95 % interval over rounds (pairs of per-round medians): the wider of a bootstrap and
/// of Student's t on the logarithms, as the bootstrap alone is too narrow for few rounds (85 % where 95 % is claimed, 7
/// rounds).
struct Ratio {
  double value = 0, low = 0, high = 0;

  bool operator==(const Ratio&) const = default;
};

/// times[i] and others[i] are medians of round i: value = geometric mean of others/times, i.e. how many times as fast.
/// Where one saw more rounds than the other, the rounds both saw count. Deterministic. Throws std::invalid_argument for
/// fewer than two common rounds and for times that are not positive.
///
/// Where round r had draw r mod `draws` of the routing, and each draw two rounds at least, the interval leaves out how
/// much the draws' ratios differ, as that of summarise_draws() does for times: one config may suit a draw better than
/// another does, in every round.
Ratio speedup(std::span<const double> times, std::span<const double> others, int draws = 1);

}  // namespace moetune
