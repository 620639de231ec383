#include "kernel/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "kernel/grouped_gemm.h"

namespace moetune {

int resident_blocks(const KernelPlan& plan, const DeviceInfo& device) {
  if (plan.blocks_per_sm > 0) return plan.blocks_per_sm;
  constexpr int kReserved = 1024, kRegistersEach = 128, kMostThreads = 2048;
  const auto by_memory = static_cast<int>(device.shared_memory_per_multiprocessor / (plan.shared_bytes + kReserved));
  const int by_registers = device.registers_per_multiprocessor / (kRegistersEach * std::max(plan.threads, 1));
  return std::max(1, std::min({by_memory, by_registers, kMostThreads / std::max(plan.threads, 1)}));
}

bool runs_on(const Engine& engine, const DeviceInfo& device) {
  if (engine.backend != device.backend) return false;
  return device.backend != Backend::cuda || (device.compute_capability >= engine.oldest_capability &&
                                             device.compute_capability <= engine.newest_capability);
}

std::vector<const Engine*> engines_on(const DeviceInfo& device) {
  std::vector<const Engine*> found;
  for (const Engine& engine : engines())
    if (runs_on(engine, device)) found.push_back(&engine);
  return found;
}

bool is_likelier(const Engine& a, const Engine& b, const Problem& problem) {
  const double rows = rows_per_expert(problem);
  const auto distance = [rows](const RowRange& range) {
    return rows < range.from ? range.from / rows : rows > range.to ? rows / range.to : 0.0;
  };
  return distance(a.best_rows) < distance(b.best_rows);
}

bool is_repeatable(const PipelineConfig& config) {
  return std::all_of(config.stages.begin(), config.stages.end(), [](const auto& stage) {
    const StageConfig& chosen = stage.second;
    const auto others = find_engine(chosen.engine).unrepeatable_values;
    return std::none_of(others.begin(), others.end(),
                        [&](const auto& other) { return chosen.config.find(other.first) == other.second; });
  });
}

std::vector<Config> legal_and_different(std::vector<Config> configs,
                                        const std::function<bool(const Config&)>& is_legal) {
  std::vector<Config> kept;
  for (Config& config : configs)
    if (is_legal(config) && std::find(kept.begin(), kept.end(), config) == kept.end())
      kept.push_back(std::move(config));
  return kept;
}

std::optional<std::string> why_parameters_differ(std::string_view engine, std::span<const std::string_view> parameters,
                                                 const Config& config) {
  for (const auto& [name, value] : config.values())
    if (std::find(parameters.begin(), parameters.end(), name) == parameters.end())
      return fmt::format("the {} engine has no parameter {}", engine, name);
  for (const std::string_view name : parameters)
    if (!config.find(name)) return fmt::format("{} is missing", name);
  return std::nullopt;
}

StageConfig completed(StageConfig config) {
  const auto engine =
      std::find_if(engines().begin(), engines().end(), [&](const Engine& each) { return each.name == config.engine; });
  if (engine == engines().end() || engine->later_parameters.empty()) return config;
  Config values = config.config;
  for (const auto& [name, value] : engine->later_parameters)
    if (!values.find(name)) values.set(name, value);
  if (why_parameters_differ(engine->name, engine->parameters, values)) return config;
  Config ordered;
  for (const std::string_view name : engine->parameters) ordered.set(name, values.at(name));
  return {.engine = std::move(config.engine), .config = std::move(ordered)};
}

const Engine& find_engine(std::string_view name) {
  std::string known;
  for (const Engine& engine : engines()) {
    if (engine.name == name) return engine;
    known += known.empty() ? "" : ", ";
    known += engine.name;
  }
  throw Error("unknown engine '" + std::string(name) + "': there are " + known);
}

}  // namespace moetune
