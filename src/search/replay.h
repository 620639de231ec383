#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "search/budget.h"
#include "search/recorded_space.h"
#include "search/strategy.h"

namespace moetune {

struct ReplayOptions {
  Budget budget{.kind = Budget::Kind::share, .value = 0.05};  ///< of each stage
  double noise = 1;                                           ///< times the spread that was recorded; 0: none
};

/// How one search of a recorded space went. What a search *would choose* is the leader of its scoreboard; how far that
/// is from the optimum is told by the recorded times, without the noise that the strategy saw.
struct ReplayRun {
  /// When the leader first was within a share of the optimum; infinite where it never was.
  struct Reached {
    double evaluations = 0, seconds = 0;

    bool operator==(const Reached&) const = default;
  };
  Reached within_1, within_5;  ///< per cent
  double regret = 0;           ///< of the leader at the end: its time over the optimum's, less 1; infinite without one
  std::size_t evaluations = 0;
  double seconds = 0;  ///< simulated: compiling, verifying and measuring

  bool operator==(const ReplayRun&) const = default;
};

/// A recorded space made ready to be searched, any number of times and by several threads at once.
class ReplaySpace {
 public:
  /// Throws Error where nothing in it worked, or a config is of none of the engines.
  ReplaySpace(const RecordedSpace& recorded, std::span<const Engine> engines);

  const StageSpace& space() const { return space_; }
  double optimum_us() const { return optimum_us_; }
  std::size_t optimum() const { return optimum_; }  ///< its candidate

  /// Searches it in simulated time, with the loop that tuning uses. The same seed gives the same run; strategies with
  /// the same seed see the same noise.
  ReplayRun run(const StrategyRow& strategy, const ReplayOptions& options, std::uint64_t seed) const;

 private:
  friend class RecordedMeasurer;

  /// What measuring a candidate gives, of which the first is the screening.
  struct Outcomes {
    Outcome outcome = Outcome::skipped;
    double median_us = 0;
    std::vector<double> spread;     ///< by rung: relative standard deviation of the median
    std::vector<double> measure_s;  ///< by rung
    double compile_s = 0;
  };

  StageSpace space_;
  int compilers_ = 1;
  std::vector<Outcomes> outcomes_;  ///< by candidate
  double optimum_us_ = 0;
  std::size_t optimum_ = 0;
};

/// A strategy on a space, over seeds from 1: medians and 95th percentiles. What was reached in fewer than half, or 95
/// %, of the runs is infinite there.
struct ReplaySummary {
  struct Figure {
    double median = 0, p95 = 0;
  };
  std::size_t runs = 0;
  Figure evaluations_1, evaluations_5, seconds_1, seconds_5, regret;
  double within_1 = 0, within_5 = 0;  ///< share of the runs that ended there
};
ReplaySummary summarise(std::span<const ReplayRun> runs);

/// Runs every strategy on every space with seeds 1 … `seeds`, on as many threads as the host has:
/// [strategy][space][seed].
std::vector<std::vector<std::vector<ReplayRun>>> replay(std::span<const StrategyRow* const> strategies,
                                                        std::span<const ReplaySpace> spaces,
                                                        const ReplayOptions& options, std::size_t seeds);

}  // namespace moetune
