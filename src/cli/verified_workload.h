#pragma once

#include <map>
#include <memory>
#include <span>

#include "backend/device.h"
#include "kernel/engine.h"
#include "measure/verify.h"
#include "reference/reference.h"

namespace moetune {

/// A problem's inputs on a device together with what its outputs have to be, computed when first asked for.
class VerifiedWorkload {
 public:
  /// Throws Error where the problem does not fit.
  VerifiedWorkload(Device& device, const Problem& problem, const DataSpec& data);

  Workload& workload() { return *workload_; }
  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) { return workload_->build(config); }
  Verification verify(Pipeline& pipeline, Impl impl);

  /// How a config fares on this problem: built, run and judged.
  struct Check {
    std::optional<Verdict> verdict;  ///< there wherever it ran
    std::optional<Failure> failure;  ///< why it is not right, or could not be built or run
  };
  Check check(const PipelineConfig& config);

 private:
  std::unique_ptr<Workload> workload_;
  std::map<Impl, ReferenceRows> references_;
};

/// The config that is used where none is given: `given` for the stages that it has, the first guess of the first engine
/// that can for the others. Throws Error naming the stage that no engine can compute, or why a given config cannot.
PipelineConfig complete_config(const Problem& problem, Impl impl, const std::map<Stage, StageConfig>& given,
                               const DeviceInfo& device, std::span<const Engine* const> engines);

}  // namespace moetune
