#include "cli/check_files.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "cli/record_files.h"
#include "results/best_file.h"
#include "results/launch_configs.h"
#include "results/staleness.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSidecar = ".moe-tune.json";

/// As vLLM and SGLang look them up. Sidecars are not among them.
bool is_engine_file_name(const std::string& name) {
  return name.starts_with("E=") && name.ends_with(".json") && !name.ends_with(kSidecar);
}

/// E=….moe-tune.json of E=….json and of E=…_down.json.
fs::path sidecar_of(const fs::path& path) {
  std::string stem = path.stem().string();
  if (constexpr std::string_view kDown = "_down"; stem.ends_with(kDown)) stem.resize(stem.size() - kDown.size());
  return path.parent_path() / (stem + std::string(kSidecar));
}

std::vector<CheckedEntry> check_engine_path(const fs::path& path, const Environment& now) {
  const fs::path sidecar = sidecar_of(path);
  std::error_code error;
  Sidecar known;
  if (fs::exists(sidecar, error)) known = parse_sidecar(read_file(sidecar), sidecar.string());
  const std::string name = path.filename().string();
  if (!known.rows.empty() && std::find(known.files.begin(), known.files.end(), name) == known.files.end())
    throw Error(
        fmt::format("'{}' does not speak of '{}'; export anew, or move one of them elsewhere", sidecar.string(), name));
  return check_engine_file(path.string(), read_file(path), known, now);
}

/// The files of a folder that serving engines would read.
std::vector<fs::path> engine_files_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (is_engine_file_name(at->path().filename().string())) found.push_back(at->path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<CheckedEntry> check_files(const std::vector<std::string>& inputs, const Environment& now) {
  std::vector<CheckedEntry> entries;
  std::vector<std::string> records;
  for (const std::string& input : inputs) {
    std::vector<fs::path> files;
    std::error_code error;
    if (fs::is_directory(input, error))
      files = engine_files_in(input);
    else if (is_engine_file_name(fs::path(input).filename().string()))
      files = {input};
    if (files.empty()) records.push_back(input);
    for (const fs::path& file : files)
      for (CheckedEntry& entry : check_engine_path(file, now)) entries.push_back(std::move(entry));
  }
  if (records.empty()) return entries;
  const Report report = read_report(records);
  for (const ReportRow& row : report.rows)
    entries.push_back({.name = best_file_name(row.best.problem, row.best.config.impl),
                       .reasons = why_stale(row.best, report.runs[row.run], now)});
  return entries;
}

}  // namespace moetune
