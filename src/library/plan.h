#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/cpu/host.h"
#include "backend/cuda/gpu.h"
#include "library/config_choice.h"
#include "library/include/moetune/moe.h"
#include "problem/problem.h"

namespace moetune {

/// What a function of the C interface fails with.
struct ApiError : std::runtime_error {
  ApiError(moe_status status_code, const std::string& message) : std::runtime_error(message), status(status_code) {}
  moe_status status;
};

/// A problem with a config for every number of tokens, ready to run.
class Plan {
 public:
  /// `problem` has the most tokens as its M. Ranges as choose_configs() makes them. `global_experts` can be chosen
  /// where calls come with an expert map; else 0.
  Plan(Problem problem, std::int64_t global_experts, std::vector<ConfigRange> ranges)
      : problem_(std::move(problem)), global_experts_(global_experts), ranges_(std::move(ranges)) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  virtual ~Plan() = default;

  const Problem& problem() const { return problem_; }
  const std::vector<ConfigRange>& ranges() const { return ranges_; }
  bool has_expert_map() const { return global_experts_ > 0; }
  /// That topk_ids may name: with or without a map.
  std::int64_t nameable_experts() const { return has_expert_map() ? global_experts_ : problem_.E; }

  /// That calls with up to M tokens need.
  virtual std::size_t workspace_size(std::int64_t M) const = 0;

  /// A call whose arguments were checked and has tokens. Throws ApiError or DeviceError.
  virtual void run(const moe_arguments& call) const = 0;

  /// The ids of a call as the host sees them, once the stream has come so far.
  virtual std::vector<std::int32_t> read_ids(const moe_arguments& call) const = 0;

 protected:
  /// Index of the range that M is in.
  std::size_t range_of(std::int64_t M) const;

 private:
  Problem problem_;
  std::int64_t global_experts_;
  std::vector<ConfigRange> ranges_;
};

/// The CPU engine, with what the host's pipelines share. One call runs at a time.
struct CpuEngine {
  Host host{0};
  std::mutex mutex{};
};

// Plans on either device. Each stage's kernels of the ranges are known to compile.
std::unique_ptr<Plan> make_cpu_plan(std::shared_ptr<CpuEngine> engine, Problem problem, std::int64_t global_experts,
                                    std::vector<ConfigRange> ranges);
/// Throws DeviceError.
std::unique_ptr<Plan> make_cuda_plan(std::shared_ptr<cuda::Gpu> gpu, Problem problem, std::int64_t global_experts,
                                     std::vector<ConfigRange> ranges);

}  // namespace moetune
