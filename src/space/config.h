#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "problem/problem.h"

namespace moetune {

/// The tunables of one stage's kernel: name -> value, in the engine's order. Two configs are equal if their values are.
class Config {
 public:
  Config() = default;
  Config(std::initializer_list<std::pair<std::string, int>> values) : values_(values) {}

  void set(std::string_view name, int value);  ///< replaces, or appends
  std::optional<int> find(std::string_view name) const;
  int at(std::string_view name) const;  ///< throws Error naming the key where it is missing
  const std::vector<std::pair<std::string, int>>& values() const { return values_; }

  auto operator<=>(const Config&) const = default;

 private:
  std::vector<std::pair<std::string, int>> values_;
};

/// A stage's kernel: which engine, with which config.
struct StageConfig {
  std::string engine;
  Config config;

  auto operator<=>(const StageConfig&) const = default;
};

/// What has to be chosen to run an implementation: a StageConfig for each of its tunable stages.
struct PipelineConfig {
  Impl impl = Impl::merged;
  std::map<Stage, StageConfig> stages;

  auto operator<=>(const PipelineConfig&) const = default;
};

/// A stable readable name: "mma bm64.bn128.bk64.gm8.w4.st3". The labels are the parameters' short names; an unknown
/// parameter stands with its full name.
std::string to_label(const StageConfig& config);
/// "merged gate[mma bm64…] final[mma bm32…]"
std::string to_label(const PipelineConfig& config);

}  // namespace moetune
