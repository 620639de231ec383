#pragma once

#include <map>
#include <memory>
#include <optional>

#include "backend/cuda/cuda_workload.h"
#include "kernel/kernel_source.h"
#include "kernels/lib/arguments.h"

namespace moetune::cuda {

/// Activation and combine.
KernelSource elementwise_source(const Problem& problem);

class CudaPipeline final : public Pipeline {
 public:
  /// Loads every kernel. Throws DeviceError where one does not compile or does not fit. `buffers` outlive the pipeline.
  CudaPipeline(std::shared_ptr<Gpu> gpu, const Problem& problem, const ProblemBuffers& buffers,
               const PipelineConfig& config);

  Result<OutputScan> run() override;
  std::vector<float> read_rows(std::span<const std::int64_t> tokens) override;
  Result<std::vector<double>> time(int n, const TimingOptions& options) override;
  Result<std::vector<double>> time_stage(Stage stage, int n, const TimingOptions& options) override;

 private:
  struct Step {
    Stage stage;
    Launch launch;
  };

  void add(Stage stage, Launch launch);
  void add_route(const PipelineConfig& config);
  void add_gemm(Stage stage, const PipelineConfig& config);
  ExpertMap expert_map() const;
  const int* row_count() const;  ///< [1] on the device: how many rows routing has made
  GemmArguments gemm_arguments(Stage stage, const KernelPlan& plan, std::size_t table) const;
  std::int64_t row_tiles(const KernelPlan& plan) const;  ///< at most
  int shared_bytes(Stage stage, const PipelineConfig& config) const;
  KernelPlan plan_of(Stage stage, const StageConfig& config) const;
  TensorGemmArguments with_tensors(const GemmArguments& arguments, Stage stage, const TensorBoxes& boxes) const;
  void add_activate();
  void add_combine(const PipelineConfig& config);

  /// The launches of one stage, or of all; the first waits for what is ahead of it in the stream.
  std::vector<Launch> launches(std::optional<Stage> stage) const;
  Result<std::vector<double>> time(std::optional<Stage> stage, int n, const TimingOptions& options);

  std::shared_ptr<Gpu> gpu_;
  const Problem& problem_;
  const ProblemBuffers& buffers_;
  bool token_tiles_;
  std::vector<Step> steps_;
  std::map<std::optional<Stage>, ReadyGraph> graphs_;
};

}  // namespace moetune::cuda
