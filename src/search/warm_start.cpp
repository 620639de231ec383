#include "search/warm_start.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace moetune {
namespace {

/// In doublings: of rows per expert, and of the sizes where they are known.
double distance(const WarmConfig& warm, const Problem& problem) {
  const auto doublings = [](std::int64_t a, std::int64_t b) {
    return std::abs(std::log2(static_cast<double>(a) / static_cast<double>(b)));
  };
  if (!warm.problem) return doublings(warm.M, problem.M);
  const Problem& other = *warm.problem;
  return doublings(other.slots() * problem.global_experts(), problem.slots() * other.global_experts()) +
         doublings(other.K, problem.K) + doublings(other.N1, problem.N1) + doublings(other.N2, problem.N2);
}

std::string why_not(const StageSpace& space, const StageConfig& config) {
  for (const StageSpace::EngineSpace& each : space.engines) {
    if (each.engine->name != config.engine) continue;
    if (const auto why = each.engine->why_invalid(config.config, space.stage, space.problem, space.device)) return *why;
    for (const SearchSpace::Axis& axis : each.space.axes)
      if (const int value = config.config.at(axis.name);
          std::find(axis.values.begin(), axis.values.end(), value) == axis.values.end())
        return fmt::format("{}={} is not among the values to try", axis.name, value);
  }
  return fmt::format("engine {} is not searched here", config.engine);
}

}  // namespace

WarmStart nearest_configs(const StageSpace& space, std::span<const WarmConfig> known, std::size_t most) {
  struct Near {
    double distance = 0;
    const StageConfig* config = nullptr;
  };
  std::vector<Near> near;
  for (const WarmConfig& warm : known) {
    const auto found = std::find(warm.stages.begin(), warm.stages.end(), space.stage);
    if (found == warm.stages.end()) continue;
    constexpr double kOtherStage = 0.01;  // breaks ties only
    near.push_back(
        {.distance = distance(warm, space.problem) + kOtherStage * static_cast<double>(found - warm.stages.begin()),
         .config = &warm.config});
  }
  std::stable_sort(near.begin(), near.end(), [](const Near& a, const Near& b) { return a.distance < b.distance; });
  std::vector<const StageConfig*> distinct;
  for (const Near& each : near)
    if (std::none_of(distinct.begin(), distinct.end(),
                     [&](const auto* known_one) { return *known_one == *each.config; }))
      distinct.push_back(each.config);
  distinct.resize(std::min(distinct.size(), most));

  WarmStart start;
  for (const StageConfig* config : distinct) {
    if (const auto found = space.index.find(*config); found != space.index.end())
      start.candidates.push_back(found->second);
    else
      start.passed_over.push_back(fmt::format("{} is passed over: {}", to_label(*config), why_not(space, *config)));
  }
  return start;
}

void begin_with(StageSpace& space, std::span<const std::size_t> candidates) {
  std::vector<std::size_t> first(candidates.begin(), candidates.end());
  for (const std::size_t guess : space.first)
    if (std::find(first.begin(), first.end(), guess) == first.end()) first.push_back(guess);
  space.first = std::move(first);
}

}  // namespace moetune
