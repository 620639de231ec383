#include "backend/fake/fake_engine.h"

#include <fmt/core.h>

#include <array>

namespace moetune {
namespace {

constexpr int kMostElements = 128 * 128;
constexpr int kLeastPerWarp = 256;
constexpr std::array<std::string_view, 3> kParameters{"BLOCK_SIZE_M", "BLOCK_SIZE_N", "num_warps"};

std::optional<std::string> why_invalid(const Config& config, Stage stage, const Problem&, const DeviceInfo&) {
  if (stage == Stage::mlp) return "the fake engine has no kernel of both GEMMs";
  for (const std::string_view name : kParameters)
    if (config.find(name).value_or(0) <= 0) return fmt::format("{} is missing or not positive", name);
  const int elements = config.at("BLOCK_SIZE_M") * config.at("BLOCK_SIZE_N");
  if (elements > kMostElements) return fmt::format("a tile has more than {} elements", kMostElements);
  if (elements < kLeastPerWarp * config.at("num_warps"))
    return fmt::format("a warp has less than {} elements of the tile", kLeastPerWarp);
  return std::nullopt;
}

Config make(int block_m, int block_n, int warps) {
  return {{"BLOCK_SIZE_M", block_m}, {"BLOCK_SIZE_N", block_n}, {"num_warps", warps}};
}

std::vector<Config> first_configs(Stage stage, const Problem&, const DeviceInfo&) {
  if (stage == Stage::mlp) return {};
  return {make(32, 32, 4), make(64, 64, 4), make(16, 64, 2)};
}

}  // namespace

const Engine& fake_engine() {
  static const Engine engine{.name = "fake",
                             .backend = Backend::fake,
                             .summary = "times from a formula or a recording",
                             .parameters = kParameters,
                             .why_invalid = why_invalid,
                             .first_configs = first_configs};
  return engine;
}

SearchSpace fake_search_space() {
  return {.engine = "fake",
          .axes = {{.name = "BLOCK_SIZE_M", .values = {16, 32, 64, 128}},
                   {.name = "BLOCK_SIZE_N", .values = {16, 32, 64, 128, 256}},
                   {.name = "num_warps", .values = {1, 2, 4, 8}}},
          .presets = {}};
}

}  // namespace moetune
