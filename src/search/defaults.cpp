#include "search/defaults.h"

#include <fmt/core.h>

#include <algorithm>

#include "search/strategy.h"

namespace moetune {
namespace {

constexpr std::size_t kTries = 12;  // for each engine: the best guess of each stage, then combinations of lesser ones

/// Configs of a stage to try, likeliest first; only those of `engine` where one is named, unless the stage is pinned.
std::vector<const StageConfig*> guesses(const StageSpace& space, std::string_view engine, std::uint64_t seed) {
  std::vector<const StageConfig*> result;
  for (const std::size_t candidate : seeded_order(space, seed))
    if (engine.empty() || space.configs.size() == 1 || space.configs[candidate].engine == engine)
      result.push_back(&space.configs[candidate]);
  return result;
}

/// Pipelines from the guesses of one or two stages, those with the likeliest parts first.
std::vector<PipelineConfig> combine(Impl impl, std::span<const Stage> stages,
                                    const std::vector<std::vector<const StageConfig*>>& options) {
  std::vector<PipelineConfig> result;
  if (stages.size() == 1) {
    for (std::size_t i = 0; i < std::min(options[0].size(), kTries); ++i)
      result.push_back({.impl = impl, .stages = {{stages[0], *options[0][i]}}});
    return result;
  }
  for (std::size_t sum = 0; sum + 1 < options[0].size() + options[1].size() && result.size() < kTries; ++sum)
    for (std::size_t i = 0; i <= sum && i < options[0].size() && result.size() < kTries; ++i)
      if (sum - i < options[1].size())
        result.push_back({.impl = impl, .stages = {{stages[0], *options[0][i]}, {stages[1], *options[1][sum - i]}}});
  return result;
}

}  // namespace

const Default& Defaults::of(std::string_view engine) const {
  for (const Default& each : working)
    if (each.engine == engine) return each;
  return working.front();
}

Defaults find_defaults(Workbench& bench, Impl impl, const StageSpaces& spaces) {
  Defaults defaults;
  const std::span<const Stage> stages = tunable_stages_of(impl);
  for (const Stage stage : stages) {
    const StageSpace& space = spaces.at(stage);
    if (!space.configs.empty()) continue;
    const std::string why = most_frequent(space.rejected);
    ++defaults.failures[fmt::format("{} has no legal config{}", to_string(stage), why.empty() ? "" : ": " + why)];
    return defaults;
  }

  std::vector<std::string> engines;
  for (const StageSpace::EngineSpace& each : spaces.at(stages.back()).engines) engines.emplace_back(each.engine->name);
  for (const StageSpace::EngineSpace& each : spaces.at(stages.front()).engines)
    if (std::find(engines.begin(), engines.end(), each.engine->name) == engines.end())
      engines.emplace_back(each.engine->name);
  if (engines.size() > 1) engines.emplace_back();  // mixed, the last resort

  for (const std::string& engine : engines) {
    if (engine.empty() && !defaults.working.empty()) break;
    std::vector<std::vector<const StageConfig*>> options;
    for (const Stage stage : stages) options.push_back(guesses(spaces.at(stage), engine, bench.options().seed));
    if (std::any_of(options.begin(), options.end(), [](const auto& of_stage) { return of_stage.empty(); })) continue;
    for (const PipelineConfig& config : combine(impl, stages, options)) {
      if (bench.should_stop()) return defaults;
      if (const Trial* known = bench.recall(config, Trial::Phase::screen, std::nullopt)) {
        bench.adopt(*known);
        if (known->outcome == Outcome::ok) {
          defaults.working.push_back({.engine = engine, .config = config, .median_us = known->time.value().median_us});
          break;
        }
        ++defaults.failures[to_string(Failure{known->outcome, known->reason})];
        continue;
      }
      bench.prepare({&config, 1});
      Attempt attempt = bench.attempt(config, Trial::Phase::screen, std::nullopt);
      if (attempt.is_verified()) {
        const Candidate candidate{.pipeline = *attempt.verified};
        const Result<Measurement> measured = bench.sample({&candidate, 1}, 1, screening()).front();
        bench.report(attempt, measured);
        if (measured) {
          defaults.working.push_back(
              {.engine = engine, .config = config, .median_us = measured.value().time.median_us});
          break;
        }
      } else {
        bench.report(attempt);
      }
      ++defaults.failures[to_string(Failure{attempt.trial.outcome, attempt.trial.reason})];
    }
  }
  return defaults;
}

std::string most_frequent(const std::map<std::string, std::size_t>& reasons) {
  const auto most = std::max_element(reasons.begin(), reasons.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == reasons.end()) return {};
  return most->second == 1 ? most->first : fmt::format("{} ({} times)", most->first, most->second);
}

}  // namespace moetune
