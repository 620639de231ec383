#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "search/tune.h"

namespace moetune {

/// A problem to be tuned.
struct TuneTask {
  Problem problem;
  std::optional<Budget> budget;  ///< of this problem
  std::vector<Trial> recorded;   ///< of it from before
};

/// What drives a device takes its problems from one of these and reports to it.
class TaskSource : public TuneEvents {
 public:
  /// The next problem; nothing where none is left or the run is to end.
  virtual std::optional<TuneTask> next() = 0;
  /// tune_problem() returned.
  virtual void finish(const std::vector<Best>& bests) = 0;
  /// The problem could not be tuned.
  virtual void give_up(const Error& error) = 0;
};

}  // namespace moetune
