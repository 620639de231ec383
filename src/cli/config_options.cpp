#include "cli/config_options.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/axis.h"
#include "cli/near_names.h"
#include "results/repro.h"

namespace moetune {
namespace {

bool has_axis(const SearchSpace& space, std::string_view name) {
  return std::any_of(space.axes.begin(), space.axes.end(), [&](const auto& axis) { return axis.name == name; });
}

SearchSpace with_unrepeatable_values(SearchSpace space, const Engine& engine) {
  for (const auto& [key, value] : engine.unrepeatable_values)
    for (auto& axis : space.axes)
      if (axis.name == key && !std::binary_search(axis.values.begin(), axis.values.end(), value))
        axis.values.insert(std::lower_bound(axis.values.begin(), axis.values.end(), value), value);
  return space;
}

[[noreturn]] void fail_unknown_axis(const std::string& argument, const std::string& name,
                                    const std::map<std::string, SearchSpace>& spaces) {
  std::set<std::string> known;
  for (const auto& [engine, space] : spaces)
    for (const auto& axis : space.axes) known.insert(axis.name);
  const std::vector<std::string> names(known.begin(), known.end());
  throw Error(fmt::format("-c {}: no engine here has '{}'; config keys: {}{}", argument, name, fmt::join(names, ", "),
                          suggest(name, names)));
}

}  // namespace

void StageConfigOptions::add_to(CLI::App& app, const char* text) {
  app.add_option("--config", configs, text)
      ->group("Configs")
      ->type_name("STAGE=ENGINE:KEY=VALUE,...")
      ->allow_extra_args(false);
}

std::map<Stage, StageConfig> StageConfigOptions::parse() const {
  std::map<Stage, StageConfig> parsed;
  for (const std::string& text : configs) {
    auto [stage, config] = parse_stage_argument(text);
    const Engine& engine = find_engine(config.engine);
    for (const auto& [key, value] : config.config.values()) {
      if (std::find(engine.parameters.begin(), engine.parameters.end(), key) != engine.parameters.end()) continue;
      const std::vector<std::string> names(engine.parameters.begin(), engine.parameters.end());
      throw Error(fmt::format("--config '{}': engine {} has no '{}'; its keys: {}{}", text, engine.name, key,
                              fmt::join(names, ", "), suggest(key, names)));
    }
    if (!parsed.emplace(stage, completed(std::move(config))).second)
      throw Error(fmt::format("--config is given twice for stage '{}'", to_string(stage)));
  }
  return parsed;
}

void SpaceOptions::add_to(CLI::App& app) {
  app.add_option("-c,--axis", axes,
                 "Values to try for a config key of all engines that have it, in place of the search space's: "
                 "BLOCK_SIZE_M=64,128, or for one stage gate.BLOCK_SIZE_M=64; one value pins it; may be repeated")
      ->group("Configs")
      ->type_name("[STAGE.]KEY=VALUES")
      ->allow_extra_args(false);
  app.add_option("--engine", engine_names,
                 "Engines to search: wgmma,mma; see `moe-tune list engines` (all that run on the device)")
      ->group("Configs")
      ->type_name("LIST");
  app.add_flag("--nondeterministic", nondeterministic,
               "Also configs with which the same inputs give other last bits from run to run: fuse_combine=2, faster "
               "from some 1000 tokens on. Records have it in the config, and bitwise_repeatable false")
      ->group("Configs");
}

const SearchSpace& SpaceOptions::Spaces::of(Stage stage, const Engine& engine) const {
  const auto own = by_stage.find({stage, std::string(engine.name)});
  return own != by_stage.end() ? own->second : by_engine.at(std::string(engine.name));
}

SpaceOptions::Spaces SpaceOptions::spaces(const DeviceInfo& device) const {
  Spaces spaces{.engines = engines_on(device), .by_engine = {}, .by_stage = {}};
  if (!engine_names.empty()) {
    spaces.engines.clear();
    for (const std::string_view name : split_list("--engine", engine_names)) {
      const Engine& engine = find_engine(name);
      if (!runs_on(engine, device))
        throw Error(fmt::format("--engine {} does not run on {}: {}", name, device.name, engine.summary));
      if (std::find(spaces.engines.begin(), spaces.engines.end(), &engine) == spaces.engines.end())
        spaces.engines.push_back(&engine);
    }
  }
  for (const Engine* engine : spaces.engines) {
    SearchSpace space = search_space_of(*engine);
    if (nondeterministic) space = with_unrepeatable_values(std::move(space), *engine);
    spaces.by_engine.emplace(engine->name, std::move(space));
  }

  // Axes of all stages before those of one: the narrower one wins whatever the order on the command line.
  for (const bool of_one_stage : {false, true}) {
    for (const std::string& argument : axes) {
      const auto equals = argument.find('=');
      if (equals == argument.npos)
        throw Error(fmt::format("-c {}: the form is KEY=VALUES, e.g. BLOCK_SIZE_M=64,128", argument));
      const auto dot = argument.substr(0, equals).find('.');
      if ((dot != argument.npos) != of_one_stage) continue;
      const std::string name = of_one_stage ? argument.substr(dot + 1, equals - dot - 1) : argument.substr(0, equals);
      const std::string assignment =
          fmt::format("{}={}", name, fmt::join(parse_axis("-c " + argument, argument.substr(equals + 1), 0), ","));
      bool known = false;
      for (const Engine* engine : spaces.engines) {
        const std::string key(engine->name);
        if (!has_axis(spaces.by_engine.at(key), name)) continue;
        known = true;
        if (!of_one_stage) {
          restrict_axis(spaces.by_engine.at(key), assignment);
          continue;
        }
        const Stage stage = parse_stage(argument.substr(0, dot));
        if (!is_tunable(stage)) throw Error(fmt::format("-c {}: stage '{}' has no config", argument, to_string(stage)));
        restrict_axis(spaces.by_stage.try_emplace({stage, key}, spaces.by_engine.at(key)).first->second, assignment);
      }
      if (!known) fail_unknown_axis(argument, name, spaces.by_engine);
    }
  }
  return spaces;
}

}  // namespace moetune
