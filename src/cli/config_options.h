// The options that say which kernel configs are tried.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernel/engine.h"
#include "problem/device_info.h"
#include "space/search_space.h"

namespace CLI {
class App;
}

namespace moetune {

/// The search space that travels in the binary.
SearchSpace search_space_of(const Engine& engine);

/// --config STAGE=ENGINE:KEY=VALUE,…: the config of a stage, written out.
struct StageConfigOptions {
  std::vector<std::string> configs;

  void add_to(CLI::App& app, const char* text);
  std::map<Stage, StageConfig> parse() const;  ///< throws Error
};

/// --engine, -c and --nondeterministic: which part of the search spaces is searched.
struct SpaceOptions {
  std::vector<std::string> axes;
  std::string engine_names;
  bool nondeterministic = false;

  void add_to(CLI::App& app);

  struct Spaces {
    std::vector<const Engine*> engines;
    std::map<std::string, SearchSpace> by_engine;
    std::map<std::pair<Stage, std::string>, SearchSpace> by_stage;  ///< instead, where a stage has axes of its own

    const SearchSpace& of(Stage stage, const Engine& engine) const;
  };
  /// For the engines that run on the device. Throws Error for axes that none of them has.
  Spaces spaces(const DeviceInfo& device) const;
};

}  // namespace moetune
