#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "backend/device.h"
#include "cli/config_options.h"

namespace moetune {

/// The same numbers on every machine; the standard library's distributions would not be.
using Random = std::mt19937_64;

/// A legal config of `engine` for the stage, drawn from its search space; none where there hardly is one.
std::optional<StageConfig> draw_config(Random& random, const SpaceOptions::Spaces& spaces, const Engine& engine,
                                       Stage stage, const Problem& problem, const DeviceInfo& device);

/// A small problem of the kind that hurts: M up to 300, E up to 64, topk up to 8, widths of 8 to 600, M and widths
/// often at or just past the edge of a tile, all dtypes, activations, biases and routings.
Problem draw_problem(Random& random);

/// Random problems that have all kernels in common: compiling them is what takes time.
struct Family {
  struct Member {
    Problem problem;
    DataSpec data;
  };
  std::map<Stage, StageConfig> stages;  ///< of all implementations wanted
  std::vector<Member> members;

  PipelineConfig config(Impl impl) const;
};

/// What families are drawn from.
struct FamilySource {
  const Device& device;
  SpaceOptions::Spaces spaces;
  std::vector<Impl> impls;
  std::vector<Fill> fills;
  std::map<Stage, StageConfig> given;  ///< for these stages no config is drawn
  std::uint64_t seed = 1;

  /// Family `index` of the seed's, whatever was drawn before. Throws Error where nothing fits what is given.
  Family draw(std::size_t index, std::size_t members) const;
};

}  // namespace moetune
