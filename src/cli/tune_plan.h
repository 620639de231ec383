#pragma once

#include <string>
#include <vector>

#include "search/tune.h"

namespace moetune {

/// A plan of one problem, a line for each stage and one for what it takes; with `reasons` also why configs cannot run.
std::vector<std::string> plan_lines(const TunePlan& plan, bool reasons);

/// What is to be done in all.
struct PlanTotal {
  std::size_t problems = 0;
  std::size_t trials = 0;     ///< at most; 0 where only time limits them
  double likely_seconds = 0;  ///< of one device
  double seconds = 0;         ///< the most it should take; 0 where only trials limit it

  void add(const TunePlan& plan);
};
/// "7 problems, at most 980 trials, about 1 min 05 s on 2 devices"
std::string to_string(const PlanTotal& total, std::size_t devices);

}  // namespace moetune
