#pragma once

#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "backend/fake/fake_device.h"
#include "backend/fake/fake_engine.h"
#include "measure/clock.h"
#include "measure/verify.h"

namespace moetune {

/// Small enough for the fake device to compute it by plain loops.
inline Problem small_problem() {
  return {.M = 6, .K = 16, .N1 = 32, .N2 = 16, .E = 4, .topk = 2};
}

inline StageConfig fake_config(int block_m, int block_n, int warps) {
  return {.engine = "fake", .config = {{"BLOCK_SIZE_M", block_m}, {"BLOCK_SIZE_N", block_n}, {"num_warps", warps}}};
}

inline PipelineConfig merged(const StageConfig& gate, const StageConfig& final) {
  return {.impl = Impl::merged, .stages = {{Stage::gate, gate}, {Stage::final, final}}};
}

inline PipelineConfig three_kernel(const StageConfig& gemm1, const StageConfig& final) {
  return {.impl = Impl::three_kernel, .stages = {{Stage::gemm1, gemm1}, {Stage::final, final}}};
}

/// The bowl that the tests search: the optimum is none of the engine's first guesses.
inline StageConfig best_config(Stage stage) {
  switch (stage) {
    case Stage::gemm1:
      return fake_config(64, 128, 8);
    case Stage::gate:
      return fake_config(128, 64, 4);
    default:
      return fake_config(16, 128, 2);
  }
}

inline TimeModel small_bowl() {
  return bowl({{Stage::gemm1, best_config(Stage::gemm1).config},
               {Stage::gate, best_config(Stage::gate).config},
               {Stage::final, best_config(Stage::final).config}});
}

/// Inputs loaded on a fake device, and pipelines verified on them.
class Loaded {
 public:
  explicit Loaded(FakeSpec spec) : device(std::move(spec)), workload(device.load(problem, data)) {}

  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) { return workload->build(config); }

  ReferenceRows reference(Impl impl) const {
    std::vector<std::int64_t> tokens(problem.M);
    std::iota(tokens.begin(), tokens.end(), 0);
    return compute_reference(problem, impl, workload->routing(), workload->data(), tokens);
  }

  Verification verify(Pipeline& pipeline, Impl impl) {
    return moetune::verify(pipeline, problem, workload->data(), reference(impl));
  }

  /// Builds and verifies, and keeps the pipeline. Throws where it does not pass.
  Verified verified(const PipelineConfig& config) {
    pipelines.push_back(std::move(build(config).value()));
    return verify(*pipelines.back(), config.impl).result.value();
  }

  Clock clock() {
    return [this] { return device.seconds(); };
  }
  Rest rest() {
    return [this](double seconds) { device.rest(seconds); };
  }

  Problem problem = small_problem();
  DataSpec data = {.fill = Fill::random, .seed = 7};
  FakeDevice device;
  std::unique_ptr<Workload> workload;
  std::vector<std::unique_ptr<Pipeline>> pipelines;
};

}  // namespace moetune
