#pragma once

#include <map>
#include <memory>

#include "backend/cuda/cuda_workload.h"
#include "backend/cuda/launch_plan.h"

namespace moetune::cuda {

/// A launch plan on a workload's own buffers, with what it takes to check and time it.
class CudaPipeline final : public Pipeline {
 public:
  /// Loads every kernel. Throws DeviceError where one does not compile or does not fit. `buffers` outlive the pipeline.
  CudaPipeline(std::shared_ptr<Gpu> gpu, const Problem& problem, const ProblemBuffers& buffers,
               const PipelineConfig& config);

  Result<OutputScan> run() override;
  std::vector<float> read_rows(std::span<const std::int64_t> tokens) override;
  bool is_repeatable() const override { return is_repeatable_; }
  Result<std::vector<double>> time(int n, const TimingOptions& options) override;
  Result<std::vector<double>> time_stages(StageRange stages, int n, const TimingOptions& options) override;

 private:
  struct Step {
    Stage stage;
    Launch launch;
  };

  /// The first waits for what is ahead of it in the stream.
  std::vector<Launch> launches(StageRange stages) const;

  std::shared_ptr<Gpu> gpu_;
  const Problem& problem_;
  const ProblemBuffers& buffers_;
  bool is_repeatable_;
  std::vector<Step> steps_;
  std::map<StageRange, ReadyGraph> graphs_;
};

}  // namespace moetune::cuda
