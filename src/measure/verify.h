#pragma once

#include <optional>

#include "backend/device.h"
#include "base/outcome.h"
#include "reference/reference.h"

namespace moetune {

/// The right to be timed: a pipeline whose output passed. Only verify() makes one, and sample() takes nothing else, so
/// what has not been verified cannot be timed. Refers to the pipeline; holds for the data it was verified on.
class Verified {
 public:
  Pipeline& pipeline() const { return *pipeline_; }

 private:
  friend struct Verification verify(Pipeline& pipeline, const Problem& problem, const DataSpec& data,
                                    const ReferenceRows& reference);
  explicit Verified(Pipeline& pipeline) : pipeline_(&pipeline) {}
  Pipeline* pipeline_;
};

struct Verification {
  std::optional<Verdict> verdict;  ///< there wherever it ran
  Result<Verified> result;         ///< or why the pipeline must not be timed
};

/// Runs the pipeline twice on poisoned buffers, so that elements never written and bits that do not repeat are seen,
/// and judges the reference's rows of the second run. `reference` was computed for the same problem, implementation and
/// data.
Verification verify(Pipeline& pipeline, const Problem& problem, const DataSpec& data, const ReferenceRows& reference);

}  // namespace moetune
