#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "space/config.h"

namespace moetune {

/// Values to try for one engine, read from search_spaces/<engine>.json. What is *legal* is the engine's to say
/// (kernel/engine.h), not the file's.
struct SearchSpace {
  struct Axis {
    std::string name;
    std::vector<int> values;  ///< ascending, distinct
  };
  std::string engine;
  std::vector<Axis> axes;                   ///< in the engine's parameter order
  std::map<std::string, Config> presets;    ///< named configs, e.g. "default", "a100_h100", "v100"

  std::uint64_t size() const;               ///< product of the axes
  Config at(std::uint64_t index) const;     ///< mixed radix, last axis fastest
  /// All configs that differ from `config` in one axis, by one step up or down.
  std::vector<Config> neighbours(const Config& config) const;
};

/// Throws Error naming `origin` and the entry: unknown keys, values that are not whole numbers of 0 or more, empty axes.
SearchSpace parse_search_space(std::string_view json, std::string_view origin);

/// Pins or widens axes: "BLOCK_SIZE_M=64,128". Throws Error naming the known axes.
void restrict_axis(SearchSpace& space, std::string_view assignment);

}  // namespace moetune
