#include "compare/history.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "results/json.h"
#include "results/names.h"

namespace moetune {
namespace {

constexpr std::string_view kSchema = "moe-tune/history";
constexpr std::size_t kRunsThatCount = 20;

std::filesystem::path history_file(const std::filesystem::path& folder) {
  return folder / "history.jsonl";
}

std::string row_key(const ComparedRow& row) {
  std::string key = fmt::format("{} {} {} {}", to_line(without_label(row.problem)), to_string(row.impl),
                                to_string(row.timing.cache), to_string(row.timing.launch));
  if (row.timing.load != LoadState::lasting) key += fmt::format(" {}", to_string(row.timing.load));
  return key;
}

double head_median(const ComparedRow& row) {
  std::vector<double> medians;
  for (const Pair& pair : row.pairs) medians.push_back(pair.head.median_us);
  return median(medians);
}

Json to_json(const HistoryRun& run) {
  return {{"schema", kSchema},
          {"schema_version", kSchemaVersion},
          {"created", run.created},
          {"git_revision", run.git_revision},
          {"device", {{"name", run.device}, {"driver", run.driver}, {"compiler", run.compiler}}},
          {"rows", run.median_us}};
}

HistoryRun read_run(const Field& field) {
  check_schema(field, kSchema);
  const Field device = field.at("device");
  HistoryRun run{.created = field.at("created").text(),
                 .git_revision = field.at("git_revision").text(),
                 .device = device.at("name").text(),
                 .driver = device.at("driver").text(),
                 .compiler = device.at("compiler").text(),
                 .median_us = {}};
  for (const auto& [key, value] : field.at("rows").members()) {
    run.median_us[key] = value.finite();
    if (!(run.median_us[key] > 0)) value.fail("must be above 0");
  }
  return run;
}

}  // namespace

History read_history(const std::filesystem::path& folder) {
  History history;
  const std::filesystem::path path = history_file(folder);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return history;
  std::istringstream lines(read_file(path));
  Origin origin{.file = path.string(), .line = 0};
  for (std::string line; std::getline(lines, line);) {
    ++origin.line;
    if (line.empty()) continue;
    try {
      const Json json = parse_json(line, origin);
      history.runs.push_back(read_run(Field(json, origin)));
    } catch (const Error& unreadable) {
      history.warnings.push_back(fmt::format("{}; left out", unreadable.what()));
    }
  }
  return history;
}

HistoryRun history_run(const GateResult& result) {
  const Environment& latest = result.head_runs.back();
  HistoryRun run{.created = latest.created,
                 .git_revision = latest.build.git_revision,
                 .device = latest.device.name,
                 .driver = latest.device.driver,
                 .compiler = latest.device.compiler,
                 .median_us = {}};
  for (const ComparedRow& row : result.rows)
    if (!row.pairs.empty()) run.median_us[row_key(row)] = head_median(row);
  return run;
}

void judge_against(const History& history, GateResult& result) {
  const HistoryRun now = history_run(result);
  for (ComparedRow& row : result.rows) {
    if (row.pairs.empty()) continue;
    const std::string key = row_key(row);
    std::vector<double> earlier;
    for (const HistoryRun& run : history.runs) {
      const auto found = run.median_us.find(key);
      if (found != run.median_us.end() && run.device == now.device && run.driver == now.driver &&
          run.compiler == now.compiler)
        earlier.push_back(found->second);
    }
    const std::size_t count = std::min(earlier.size(), kRunsThatCount);
    row.drift = judge_drift(std::span(earlier).last(count), now.median_us.at(key), result.rule);
  }
}

void append_to_history(const std::filesystem::path& folder, const HistoryRun& run) {
  make_writable_directory(folder);
  const std::filesystem::path path = history_file(folder);
  const std::string line = to_json(run).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const bool written = file >= 0 && write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int reason = errno;
  if (file >= 0) close(file);
  if (!written) throw Error(fmt::format("cannot write '{}': {}", path.string(), std::strerror(reason)));
}

}  // namespace moetune
