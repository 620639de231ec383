#include "library/context.h"

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "backend/cuda/launch_plan.h"
#include "backend/device_ids.h"
#include "base/error.h"
#include "kernel/engine.h"
#include "kernel/grouped_gemm.h"

namespace moetune {

Context::Context(std::string_view device_id, const std::filesystem::path& folder) {
  const DevicePlace place = parse_device_id(device_id);
  if (!folder.empty()) tuned_ = read_tuned_configs(folder);
  if (place.backend == Backend::cuda) {
    try {
      const auto& driver = cuda::Driver::instance();
      std::optional<cuda::ContextGuard> guard;  // a caller's current device is not for us to change
      if (driver) guard.emplace(*driver.value());
      gpu_ = std::make_shared<cuda::Gpu>(place.index);
    } catch (const cuda::DeviceError& error) {
      throw Error(fmt::format("cuda:{}: {}", place.index, error.failure.reason), ExitCode::no_device);
    }
  } else {
    host_ = std::make_shared<CpuEngine>();
  }
  environment_ = describe_environment(gpu_ ? gpu_->info() : host_->host.info(), {}, {});
}

std::vector<ConfigRange> Context::first_choice(const Problem& problem, std::span<const Impl> impls) const {
  return choose_configs(problem, impls, tuned_, environment_, {});
}

std::vector<ConfigRange> Context::choose(const Problem& problem, std::span<const Impl> impls, PlanCost* cost) {
  RefusedConfigs refused;
  for (;;) {
    std::vector<ConfigRange> ranges = choose_configs(problem, impls, tuned_, environment_, refused);
    if (!gpu_) return ranges;
    const std::size_t refused_before = refused.size();
    compile(problem, ranges, refused, cost);
    if (refused.size() == refused_before) return ranges;
  }
}

void Context::compile(const Problem& problem, std::span<const ConfigRange> ranges, RefusedConfigs& refused,
                      PlanCost* cost) {
  std::map<KernelSource, std::set<std::pair<Stage, StageConfig>>> sources;
  const auto add_all = [&](const ConfigRange& range, std::int64_t M) {
    Problem at = problem;
    at.M = M;
    const bool token_tiles = uses_token_tiles(at);
    for (const auto& [stage, config] : range.config.stages)
      sources[find_engine(config.engine).kernel_plan(config.config, stage, at, token_tiles).source].insert(
          {stage, config});
  };
  for (const ConfigRange& range : ranges) {  // a range may begin without routing and end with it
    add_all(range, range.from);
    add_all(range, range.to);
  }
  std::vector<KernelSource> all{cuda::elementwise_source(problem), cuda::routing_source()};
  for (const auto& [source, users] : sources) all.push_back(source);

  KernelCompiler& compiler = gpu_->compiler();
  const int compiled_before = compiler.compiled();
  compiler.compile_all(all, static_cast<int>(std::thread::hardware_concurrency()), {});
  if (cost != nullptr)
    *cost = {.kernels = all.size(), .compiled = cost->compiled + compiler.compiled() - compiled_before};
  for (const auto& [source, users] : sources)
    if (const auto kernel = compiler.compile(source); !kernel)
      for (const auto& user : users) refused.emplace(user, kernel.failure().reason);
}

std::unique_ptr<Plan> Context::load(const Problem& problem, std::int64_t global_experts,
                                    std::vector<ConfigRange> ranges) {
  if (host_) return make_cpu_plan(host_, problem, global_experts, std::move(ranges));
  const std::lock_guard lock(mutex_);
  return make_cuda_plan(gpu_, problem, global_experts, std::move(ranges));
}

}  // namespace moetune
