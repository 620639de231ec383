#include "search/stage_space.h"

#include <algorithm>

namespace moetune {
namespace {

std::size_t differing_axes(const Config& a, const Config& b) {
  std::size_t count = 0;
  for (const auto& [name, value] : a.values()) count += b.find(name) != value;
  return count;
}

}  // namespace

std::vector<std::size_t> StageSpace::neighbours(std::size_t candidate) const {
  const StageConfig& from = configs[candidate];
  std::vector<std::size_t> near;
  for (const EngineSpace& each : engines) {
    if (each.engine->name != from.engine) continue;
    for (const Config& config : each.space.neighbours(from.config))
      if (const auto found = index.find({.engine = from.engine, .config = config}); found != index.end())
        near.push_back(found->second);
  }
  return near;
}

StageSpace make_stage_space(const Problem& problem, Stage stage, const DeviceInfo& device,
                            std::vector<StageSpace::EngineSpace> spaces, const Legality& legality) {
  StageSpace result{.problem = problem, .stage = stage, .device = device};
  std::vector<std::vector<std::size_t>> first_by_engine;
  std::erase_if(spaces, [&](const StageSpace::EngineSpace& each) { return !runs_on(*each.engine, device); });
  std::stable_sort(spaces.begin(), spaces.end(),
                   [&](const auto& a, const auto& b) { return is_likelier(*a.engine, *b.engine, problem); });
  for (StageSpace::EngineSpace& each : spaces) {
    const Engine& engine = *each.engine;
    const std::size_t begin = result.configs.size();
    for (std::uint64_t i = 0; i < each.space.size(); ++i) {
      StageConfig config{.engine = std::string(engine.name), .config = each.space.at(i)};
      if (const auto why =
              legality ? legality(engine, config.config) : engine.why_invalid(config.config, stage, problem, device)) {
        ++result.rejected[*why];
      } else {
        result.index.emplace(config, result.configs.size());
        result.configs.push_back(std::move(config));
      }
    }

    const std::vector<Config> guesses = engine.first_configs(stage, problem, device);
    std::vector<std::size_t> first;
    for (const Config& guess : guesses)
      if (const auto found = result.index.find({.engine = std::string(engine.name), .config = guess});
          found != result.index.end())
        first.push_back(found->second);
    if (first.empty() && !guesses.empty() && begin < result.configs.size()) {
      std::size_t nearest = begin;
      for (std::size_t i = begin; i < result.configs.size(); ++i)
        if (differing_axes(guesses.front(), result.configs[i].config) <
            differing_axes(guesses.front(), result.configs[nearest].config))
          nearest = i;
      first.push_back(nearest);
    }
    first_by_engine.push_back(std::move(first));
    result.engines.push_back(std::move(each));
  }
  for (std::size_t rank = 0, added = 1; added > 0; ++rank) {
    added = 0;
    for (const std::vector<std::size_t>& first : first_by_engine)
      if (rank < first.size()) {
        result.first.push_back(first[rank]);
        ++added;
      }
  }
  return result;
}

}  // namespace moetune
