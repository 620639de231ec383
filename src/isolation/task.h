#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "search/transfer.h"

namespace moetune {

/// A problem to be tuned, or to be tried with configs that were found before.
struct TuneTask {
  Problem problem;
  std::optional<Budget> budget;  ///< of this problem
  std::vector<Trial> recorded;   ///< of it from before
  std::vector<Winner> winners;   ///< to measure_transfers() with, instead of tuning it
};

/// What drives a device takes its problems from one of these and reports to it.
class TaskSource : public TuneEvents {
 public:
  /// The next problem; nothing where none is left or the run is to end.
  virtual std::optional<TuneTask> next() = 0;
  /// tune_problem() returned.
  virtual void finish(const std::vector<Best>& bests) = 0;
  /// measure_transfers() returned: of a task that has winners.
  virtual void finish_transfers(const Transfers&) {}
  /// The problem could not be tuned, or tried.
  virtual void give_up(const Error& error) = 0;
};

}  // namespace moetune
