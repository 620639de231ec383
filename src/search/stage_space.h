#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/engine.h"
#include "problem/device_info.h"
#include "problem/problem.h"
#include "space/search_space.h"

namespace moetune {

/// The configs that can compute one stage of a problem on a device, over all engines allowed. Strategies choose from
/// them by index.
struct StageSpace {
  struct EngineSpace {
    const Engine* engine = nullptr;
    SearchSpace space;
  };

  Problem problem;
  Stage stage = Stage::gate;
  DeviceInfo device;
  Ceilings ceilings;                         ///< zeros where the maker does not know them
  std::vector<EngineSpace> engines;          ///< those that run on the device, likeliest first
  std::vector<StageConfig> configs;          ///< all legal ones: by engine, then in the order of its search space
  std::map<StageConfig, std::size_t> index;  ///< where each stands
  std::vector<std::size_t> first;  ///< the engines' first guesses that lie in the space: best guess of each, second …
  std::map<std::string, std::size_t> rejected;  ///< reason -> number of configs

  /// Legal configs one step away, in the order of the axes.
  std::vector<std::size_t> neighbours(std::size_t candidate) const;
};

/// Why a config cannot be chosen; nothing where it can. Asked on several threads at once.
using Legality = std::function<std::optional<std::string>(const Engine& engine, const Config& config)>;

/// Walks the engines' spaces and asks each engine what is legal, or `legality` where there is one. `spaces` has one for
/// each; an engine that does not run on the device is left out, and the others are put in order, the likeliest for the
/// problem first. Each first guess is followed by itself with the engine's unrepeatable values. Those that the space
/// does not hold (nobody asked for such values, or the user narrowed it) are left out; where an engine has none left,
/// the legal config that differs from its first guess in the fewest axes stands in.
StageSpace make_stage_space(const Problem& problem, Stage stage, const DeviceInfo& device,
                            std::vector<StageSpace::EngineSpace> spaces, const Legality& legality = {});

}  // namespace moetune
