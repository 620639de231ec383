#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "problem/problem.h"
#include "search/stage_space.h"
#include "space/config.h"

namespace moetune {

/// A config from another run or another tuner, to begin a search with.
struct WarmConfig {
  StageConfig config;
  std::vector<Stage> stages;       ///< that it may suit, the likeliest first
  std::int64_t M = 0;              ///< tokens that it was chosen for
  std::optional<Problem> problem;  ///< where that is known whole

  bool operator==(const WarmConfig&) const = default;
};

/// Those that suit a stage of a space, the nearest first by sizes and tokens.
struct WarmStart {
  std::vector<std::size_t> candidates;   ///< none twice
  std::vector<std::string> passed_over;  ///< a line for each that cannot be chosen there, with the reason
};
/// Of the `most` nearest.
WarmStart nearest_configs(const StageSpace& space, std::span<const WarmConfig> known, std::size_t most);

/// Puts them before the space's first guesses.
void begin_with(StageSpace& space, std::span<const std::size_t> candidates);

}  // namespace moetune
