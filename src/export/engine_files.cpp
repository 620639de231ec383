#include "export/engine_files.h"

#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "export/sidecar.h"
#include "results/json_field.h"
#include "results/triton_keys.h"

namespace moetune {
namespace {

struct Entry {
  const ReportRow* row = nullptr;
  std::string left_out;  ///< the reason, or empty
};

/// The rows of one E, N and device, ascending in M.
struct Group {
  std::string stem;
  std::vector<Entry> entries;

  bool holds_any() const {
    return std::any_of(entries.begin(), entries.end(), [](const Entry& entry) { return entry.left_out.empty(); });
  }
};

std::string file_stem(const Problem& problem, std::string device) {
  std::replace(device.begin(), device.end(), '/', '_');  // a name, never a path
  // bf16 and fp16 have no dtype in the name; other dtypes are not computed here.
  return fmt::format("E={},N={},device_name={}", problem.E, problem.inner(), device);
}

std::vector<Group> group_rows_by_file(const Selection& selection, const EngineFiles& kind) {
  std::vector<Group> groups;
  for (const ReportRow* row : selection.rows) {
    const std::string stem = file_stem(row->best.problem, kind.device_name(selection.run(*row).device.name));
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.stem == stem; });
    if (group == groups.end()) group = groups.insert(group, {.stem = stem, .entries = {}});
    const std::string reason = row->best.verdict.passed ? kind.why_left_out(row->best.config) : "it is not verified";
    group->entries.push_back({.row = row, .left_out = reason});
  }
  for (Group& group : groups)
    std::stable_sort(group.entries.begin(), group.entries.end(),
                     [](const Entry& a, const Entry& b) { return a.row->best.problem.M < b.row->best.problem.M; });
  return groups;
}

/// K, topk, dtype, activation and routing are not in the name, so rows that differ in them can meet at one M.
void leave_one_row_for_each_M(const Selection& selection, Group& group) {
  std::map<std::int64_t, Entry*> held;
  for (Entry& entry : group.entries) {
    if (!entry.left_out.empty()) continue;
    Entry*& first = held[entry.row->best.problem.M];
    if (first == nullptr) {
      first = &entry;
      continue;
    }
    const bool later = selection.run(*first->row).created < selection.run(*entry.row).created;
    Entry& loser = later ? *first : entry;
    first = later ? &entry : first;
    loser.left_out =
        fmt::format("the file has this M from a run that began no earlier: {}", row_name(selection, *first->row));
  }
}

const StageConfig& config_of(const PipelineConfig& config, bool second) {
  return config.stages.at(second ? second_gemm(config.impl) : first_gemm(config.impl));
}

std::string map_text(const Group& group, bool second) {
  Json map = Json::object();
  for (const Entry& entry : group.entries) {
    if (!entry.left_out.empty()) continue;
    Json values = Json::object();
    // The engines pass on every key, so one more would fail the launch.
    for (const std::string_view key : kTritonKeys)
      values[std::string(key)] = config_of(entry.row->best.config, second).config.at(key);
    map[fmt::format("{}", entry.row->best.problem.M)] = std::move(values);
  }
  return map.dump(4) + "\n";
}

/// All that the map cannot hold.
std::string sidecar_text(const Selection& selection, const EngineFiles& kind, const Group& group) {
  Sidecar sidecar{.format = std::string(kind.format), .files = {}, .rows = {}, .runs = {}};
  if (group.holds_any())
    for (const EngineFiles::File& file : kind.files)
      sidecar.files.push_back(fmt::format("{}{}.json", group.stem, file.suffix));
  std::vector<std::size_t> runs;
  for (const Entry& entry : group.entries) {
    const Best& best = entry.row->best;
    const auto run = std::find(runs.begin(), runs.end(), entry.row->run);
    sidecar.rows.push_back({.best = best,
                            .exported = entry.left_out.empty(),
                            .left_out = entry.left_out,
                            .note = entry.left_out.empty() ? kind.note(best.config) : "",
                            .run = static_cast<std::size_t>(run - runs.begin())});
    if (run == runs.end()) runs.push_back(entry.row->run);
  }
  for (const std::size_t run : runs) sidecar.runs.push_back(selection.report->runs[run]);
  return to_text(sidecar);
}

/// "M=1024: gemm1: the engine is 'wgmma', …, and 2 more"
std::string reasons(const Group& group) {
  std::string text;
  int more = 0;
  for (const Entry& entry : group.entries) {
    if (entry.left_out.empty()) continue;
    if (text.empty())
      text = fmt::format("M={}: {}", entry.row->best.problem.M, entry.left_out);
    else
      ++more;
  }
  return more == 0 ? text : fmt::format("{}, and {} more", text, more);
}

}  // namespace

std::string why_not_triton(const StageConfig& config) {
  if (config.engine != "mma")
    return fmt::format("the engine is '{}', and only configs of 'mma' mean the same to Triton", config.engine);
  for (const std::string_view key : kTritonKeys) {
    const auto value = config.config.find(key);
    if (!value) return fmt::format("it has no {}", key);
    if (*value < 1) return fmt::format("{} is {}", key, *value);
    const bool any = key == "GROUP_SIZE_M" || key == "num_stages";
    if (!any && !std::has_single_bit(static_cast<unsigned>(*value)))
      return fmt::format("{} is {}, and Triton takes powers of two", key, *value);
    if (key.starts_with("BLOCK_") && *value < 16)
      return fmt::format("{} is {}, and Triton's dot takes 16 or more", key, *value);
  }
  return "";
}

Export write_engine_files(const Selection& selection, const EngineFiles& kind) {
  Export result;
  std::vector<Group> groups = group_rows_by_file(selection, kind);
  for (Group& group : groups) {
    leave_one_row_for_each_M(selection, group);
    if (group.holds_any())
      for (const EngineFiles::File& file : kind.files)
        result.files.push_back(
            {.name = fmt::format("{}{}.json", group.stem, file.suffix), .text = map_text(group, file.second)});
  }
  if (result.files.empty()) {
    const std::string why = groups.empty() ? "there is no row" : reasons(groups.front());
    throw Error(fmt::format("nothing to export as {}: {}. Tune on a GPU with --engine mma", kind.format, why));
  }
  for (const Group& group : groups) {
    const std::string sidecar = group.stem + ".moe-tune.json";
    result.files.push_back({.name = sidecar, .text = sidecar_text(selection, kind, group)});
    const auto left_out = std::count_if(group.entries.begin(), group.entries.end(),
                                        [](const Entry& entry) { return !entry.left_out.empty(); });
    if (left_out == 0) continue;
    result.notes.push_back(
        fmt::format("{}.json leaves out {} of {} rows ({}; all reasons in {}). Where it lacks an M, {} takes the "
                    "config of the nearest",
                    group.stem, left_out, group.entries.size(), reasons(group), sidecar, kind.format));
  }
  return result;
}

}  // namespace moetune
