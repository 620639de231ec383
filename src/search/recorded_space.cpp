#include "search/recorded_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace moetune {
namespace {

/// For each engine that occurs, the values that do.
std::vector<StageSpace::EngineSpace> spaces_of(const RecordedSpace& recorded, std::span<const Engine> engines) {
  std::vector<StageSpace::EngineSpace> spaces;
  std::set<std::string_view> known;
  for (const Engine& engine : engines) {
    SearchSpace space{.engine = std::string(engine.name), .axes = {}, .presets = {}};
    for (const std::string_view parameter : engine.parameters) {
      std::set<int> values;
      for (const RecordedSpace::Entry& entry : recorded.entries)
        if (entry.config.engine == engine.name) values.insert(entry.config.config.at(parameter));
      space.axes.push_back({.name = std::string(parameter), .values = {values.begin(), values.end()}});
    }
    known.insert(engine.name);
    if (space.size() > 0) spaces.push_back({.engine = &engine, .space = std::move(space)});
  }
  for (const RecordedSpace::Entry& entry : recorded.entries)
    if (!known.contains(entry.config.engine))
      throw Error(fmt::format("there is no engine '{}' in this moe-tune: record the space again", entry.config.engine));
  return spaces;
}

}  // namespace

StageSpace stage_space_of(const RecordedSpace& recorded, std::span<const Engine> engines) {
  std::set<StageConfig> configs;
  for (const RecordedSpace::Entry& entry : recorded.entries) configs.insert(entry.config);
  StageSpace space = make_stage_space(recorded.problem, recorded.stage, recorded.device, spaces_of(recorded, engines),
                                      [&](const Engine& engine, const Config& config) -> std::optional<std::string> {
                                        if (configs.contains({.engine = std::string(engine.name), .config = config}))
                                          return std::nullopt;
                                        return "it was not recorded";
                                      });
  space.ceilings = recorded.ceilings;
  return space;
}

std::size_t legal_configs(const RecordedSpace& recorded, std::span<const Engine> engines) {
  return make_stage_space(recorded.problem, recorded.stage, recorded.device, spaces_of(recorded, engines))
      .configs.size();
}

}  // namespace moetune
