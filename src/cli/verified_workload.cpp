#include "cli/verified_workload.h"

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {
namespace {

/// Multiply-adds that a reference may cost: a few seconds of one core at most.
constexpr double kMacBudget = 2e9;

}  // namespace

VerifiedWorkload::VerifiedWorkload(Device& device, const Problem& problem, const DataSpec& data)
    : workload_(device.load(problem, data)) {}

Verification VerifiedWorkload::verify(Pipeline& pipeline, Impl impl) {
  const Problem& problem = workload_->problem();
  const DataSpec& data = workload_->data();
  auto found = references_.find(impl);
  if (found == references_.end()) {
    auto tokens = choose_tokens(problem, workload_->routing(), data.seed, kMacBudget);
    found = references_.emplace(impl, compute_reference(problem, impl, workload_->routing(), data, std::move(tokens)))
                .first;
  }
  return moetune::verify(pipeline, problem, data, found->second);
}

VerifiedWorkload::Check VerifiedWorkload::check(const PipelineConfig& config) {
  const Result<std::unique_ptr<Pipeline>> built = build(config);
  if (!built) return {.verdict = {}, .failure = built.failure()};
  Verification found = verify(*built.value(), config.impl);
  Check check{.verdict = std::move(found.verdict), .failure = {}};
  if (!found.result) check.failure = found.result.failure();
  return check;
}

PipelineConfig complete_config(const Problem& problem, Impl impl, const std::map<Stage, StageConfig>& given,
                               const DeviceInfo& device, std::span<const Engine* const> engines) {
  PipelineConfig config{.impl = impl, .stages = {}};
  for (const Stage stage : tunable_stages_of(impl)) {
    if (const auto found = given.find(stage); found != given.end()) {
      const Engine& engine = find_engine(found->second.engine);
      if (!runs_on(engine, device))
        throw Error(fmt::format("stage {}: engine {} does not run on {}", to_string(stage), engine.name, device.name));
      if (const auto why = engine.why_invalid(found->second.config, stage, problem, device))
        throw Error(fmt::format("stage {}, {}: {}", to_string(stage), to_label(found->second), *why));
      config.stages[stage] = found->second;
      continue;
    }
    for (const Engine* engine : engines) {
      const std::vector<Config> first = engine->first_configs(stage, problem, device);
      if (first.empty()) continue;
      config.stages[stage] = {.engine = std::string(engine->name), .config = first.front()};
      break;
    }
    if (!config.stages.contains(stage))
      throw Error(
          fmt::format("no engine on {} can compute stage {} of {}", device.name, to_string(stage), to_line(problem)));
  }
  return config;
}

}  // namespace moetune
