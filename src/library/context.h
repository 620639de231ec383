#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "library/plan.h"
#include "library/tuned_configs.h"

namespace moetune {

/// What a plan takes to make.
struct PlanCost {
  std::size_t kernels = 0;  ///< that it needs
  int compiled = 0;         ///< of them, not found in the cache on disk; and those that did not compile
};

/// A device with the configs that are known to be good on it.
class Context {
 public:
  /// `folder` empty: nothing was tuned. Throws Error for a device that is not there, and for what the folder lacks.
  Context(std::string_view device_id, const std::filesystem::path& folder);

  const DeviceInfo& info() const { return environment_.device; }

  /// Chooses among `impls` for 1 to problem.M tokens, with no config whose kernels do not compile: all kernels are in
  /// the cache on disk afterwards. Throws Error where nothing is left.
  std::vector<ConfigRange> choose(const Problem& problem, std::span<const Impl> impls, PlanCost* cost = nullptr);

  /// The configs that choose() would begin with; compiles nothing.
  std::vector<ConfigRange> first_choice(const Problem& problem, std::span<const Impl> impls) const;

  /// Loads the kernels of what choose() returned. `global_experts` as in Plan. Throws DeviceError.
  std::unique_ptr<Plan> load(const Problem& problem, std::int64_t global_experts, std::vector<ConfigRange> ranges);

 private:
  /// Compiles the kernels of the ranges, and adds configs to `refused` whose kernels do not.
  void compile(const Problem& problem, std::span<const ConfigRange> ranges, RefusedConfigs& refused, PlanCost* cost);

  std::shared_ptr<cuda::Gpu> gpu_;  // one of the two
  std::shared_ptr<CpuEngine> host_;
  Environment environment_;
  std::vector<TunedConfig> tuned_;
  std::mutex mutex_;  // loading kernels
};

}  // namespace moetune
