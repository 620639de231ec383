#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/outcome.h"
#include "measure/trial.h"
#include "results/best_file.h"
#include "results/environment.h"
#include "results/journal.h"

namespace moetune {

/// What one run made of a row: a record of its best config, or why there is none.
struct RowRun {
  std::size_t run = 0;  ///< index into Side::runs
  std::optional<Best> best;
  std::optional<Failure> failure;

  /// There is a time, and the output it was taken with is right.
  bool is_good() const { return best && best->verdict.passed; }
};

/// A problem and an implementation, timed one way on one device, in all runs that have it.
struct SideRow {
  Problem problem;
  Impl impl = Impl::merged;
  TimingOptions timing;
  DeviceInfo device;
  std::vector<RowRun> runs;  ///< oldest first
};

/// One side of a comparison: base or head.
struct Side {
  std::vector<Environment> runs;
  std::vector<SideRow> rows;
};

/// All that the files hold. Best-config files are of one run where their environments are equal.
Side make_side(std::span<const Journal> journals, std::span<const BestFile> best_files);

/// The problem without the label of the model that it came from, which says nothing about what is computed.
Problem without_label(Problem problem);

}  // namespace moetune
