// Whether the gate would catch a slowdown, and stay silent without one, with the settings that it is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compare/comparison.h"

namespace moetune {

/// What runs of a process vary by, as shares of their time.
struct RunNoise {
  double process = 0.006;      ///< of each process: its clocks, its memory
  double drift = 0.01;         ///< that a pair of processes has in common
  double within_pair = 0.002;  ///< while one of them runs
};

struct PlantedSlowdown {
  double slowdown = 0;  ///< 0.05: every row of head takes 5 % longer
  int rows = 0, slower_rows = 0;
  int comparisons = 0, failed_comparisons = 0;  ///< of several rows each; failed: exit code 1
  bool as_expected = false;                     ///< caught in at least 99 % of rows, or an alarm in at most 0.5 %
};

/// Compares synthetic sides of `pairs` runs and ten rows each, so many times with 5 % planted in head and as often with
/// nothing. Always the same for one seed.
std::vector<PlantedSlowdown> self_test(const CompareOptions& options, int pairs, int comparisons = 100,
                                       const RunNoise& noise = {}, std::uint64_t seed = 1);

/// A line for each and one for all: "PASS: …" or "FAIL: …".
std::string to_text(const std::vector<PlantedSlowdown>& results);

}  // namespace moetune
