#include "results/warm_start_file.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "results/best_file.h"
#include "results/json.h"
#include "results/triton_keys.h"

namespace moetune {
namespace {

/// Those that a stage's config may suit too: the first GEMMs differ in their epilogues only.
std::vector<Stage> relatives(Stage stage) {
  if (stage == Stage::gemm1) return {Stage::gemm1, Stage::gate};
  if (stage == Stage::gate) return {Stage::gate, Stage::gemm1};
  return {stage};
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
  return value;
}

std::vector<WarmConfig> read_triton_configs(const Field& document, bool is_down) {
  std::vector<WarmConfig> configs;
  for (const auto& [key, entry] : document.members()) {
    const std::optional<std::int64_t> M = whole_number(key);
    if (!M) continue;  // "triton_version" and the like
    WarmConfig warm{.config = {.engine = "mma", .config = {}}, .stages = {}, .M = *M, .problem = {}};
    for (const std::string_view name : kTritonKeys) warm.config.config.set(name, entry.at(name).small_integer());
    warm.stages = is_down ? std::vector{Stage::final} : std::vector{Stage::gemm1, Stage::gate, Stage::final};
    configs.push_back(std::move(warm));
  }
  if (configs.empty())
    document.fail("is neither a best-config file of moe-tune nor a config file of vLLM or SGLang (M -> parameters)");
  return configs;
}

}  // namespace

std::vector<WarmConfig> read_warm_start(const std::filesystem::path& path) {
  const Origin origin{.file = path.string(), .line = 0};
  const std::string text = read_file(path);
  const Json json = parse_json(text, origin);
  const Field document(json, origin);
  if (!json.is_object() || !document.find("schema"))
    return read_triton_configs(document, path.filename().string().ends_with("_down.json"));
  const Best best = parse_best_file(text, path.string()).best;
  std::vector<WarmConfig> configs;
  for (const auto& [stage, config] : best.config.stages)
    configs.push_back({.config = config, .stages = relatives(stage), .M = best.problem.M, .problem = best.problem});
  return configs;
}

}  // namespace moetune
