#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "base/outcome.h"

namespace moetune {

/// How a config of a stage fared at one rung of measuring: 0 is the first screening, each further rung takes more
/// samples.
struct Observation {
  std::size_t candidate = 0;  ///< index into StageSpace::configs
  int rung = 0;
  Outcome outcome = Outcome::skipped;
  double median_us = 0;  ///< where ok
};

/// What is known of a stage's configs; of each its latest observation.
class Scoreboard {
 public:
  void add(const Observation& observation) { latest_[observation.candidate] = observation; }
  bool has_seen(std::size_t candidate) const { return latest_.contains(candidate); }
  std::size_t size() const { return latest_.size(); }
  const Observation& at(std::size_t candidate) const { return latest_.at(candidate); }

  /// Those that work, best first: higher rungs before lower ones (who stayed behind was slower when dropped), then by
  /// time, then by index.
  std::vector<std::size_t> ranked() const;
  /// The first of them.
  std::optional<std::size_t> leader() const;
  /// The best time on the highest rung that anything has reached.
  std::optional<double> best_us() const;

 private:
  std::map<std::size_t, Observation> latest_;
};

}  // namespace moetune
