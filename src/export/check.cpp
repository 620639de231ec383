#include "export/check.h"

#include <map>

#include <fmt/format.h>

#include "export/selection.h"
#include "results/launch_configs.h"
#include "results/staleness.h"

namespace moetune {
namespace {

/// "BLOCK_SIZE_M was 16 and is 32"
std::string first_difference(const Config& exported, const Config& found) {
  for (const auto& [key, value] : found.values()) {
    const auto before = exported.find(key);
    if (!before) return fmt::format("{} was not there", key);
    if (*before != value) return fmt::format("{} was {} and is {}", key, *before, value);
  }
  for (const auto& [key, value] : exported.values())
    if (!found.find(key)) return fmt::format("{} was {} and is gone", key, value);
  return "";
}

}  // namespace

std::vector<CheckedEntry> check_engine_file(std::string_view name, std::string_view text, const Sidecar& sidecar,
                                            const Environment& now) {
  const bool second = name.ends_with("_down.json");
  std::map<std::int64_t, const SidecarRow*> rows;
  for (const SidecarRow& row : sidecar.rows)
    if (row.exported) rows.emplace(row.best.problem.M, &row);

  std::vector<CheckedEntry> entries;
  const auto add = [&](std::int64_t M, std::vector<std::string> reasons) {
    entries.push_back({.name = fmt::format("{} M={}", name, M), .reasons = std::move(reasons)});
  };
  for (const auto& [M, config] : parse_launch_configs(text, name)) {
    const auto found = rows.find(M);
    if (found == rows.end()) {
      add(M, {"nothing is known of where it comes from: moe-tune did not export it"});
      continue;
    }
    const SidecarRow& row = *found->second;
    const Impl impl = row.best.config.impl;
    const StageConfig& exported = row.best.config.stages.at(second ? second_gemm(impl) : first_gemm(impl));
    std::vector<std::string> reasons = why_stale(row.best, sidecar.runs[row.run], now);
    if (const std::string edited = first_difference(exported.config, config); !edited.empty())
      reasons.insert(reasons.begin(), "it was edited: " + edited);
    add(M, std::move(reasons));
    rows.erase(found);
  }
  for (const auto& [M, row] : rows) add(M, {"it was exported and is no longer in the file"});
  return entries;
}

}  // namespace moetune
