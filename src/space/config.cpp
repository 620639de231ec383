#include "space/config.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"

namespace moetune {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kShortNames{{
    {"BLOCK_SIZE_M", "bm"},
    {"BLOCK_SIZE_N", "bn"},
    {"BLOCK_SIZE_K", "bk"},
    {"GROUP_SIZE_M", "gm"},
    {"num_warps", "w"},
    {"num_stages", "st"},
    {"num_threads", "t"},
    {"num_consumers", "c"},
    {"CLUSTER_SIZE_M", "cl"},
    {"blocks_per_sm", "b"},
    {"evict_first", "ef"},
    {"dynamic", "dy"},
    {"fuse_combine", "fc"},
    {"permute_tokens", "pt"},
    {"SPLIT_K", "sk"},
}};

std::string_view short_name(std::string_view name) {
  for (const auto& [full, brief] : kShortNames)
    if (full == name) return brief;
  return name;
}

}  // namespace

void Config::set(std::string_view name, int value) {
  for (auto& [known, current] : values_)
    if (known == name) {
      current = value;
      return;
    }
  values_.emplace_back(name, value);
}

std::optional<int> Config::find(std::string_view name) const {
  for (const auto& [known, value] : values_)
    if (known == name) return value;
  return std::nullopt;
}

int Config::at(std::string_view name) const {
  if (const auto value = find(name)) return *value;
  std::string names;
  for (const auto& [known, value] : values_) names += (names.empty() ? "" : ", ") + known;
  throw Error(fmt::format("the config has no '{}', only {}", name, names.empty() ? "nothing" : names));
}

std::string to_label(const StageConfig& config) {
  std::string label = config.engine;
  char separator = ' ';
  for (const auto& [name, value] : config.config.values()) {
    label += fmt::format("{}{}{}", separator, short_name(name), value);
    separator = '.';
  }
  return label;
}

std::string to_label(const PipelineConfig& config) {
  std::string label(to_string(config.impl));
  for (const auto& [stage, stage_config] : config.stages)
    label += fmt::format(" {}[{}]", to_string(stage), to_label(stage_config));
  return label;
}

}  // namespace moetune
