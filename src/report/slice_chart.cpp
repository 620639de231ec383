#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "chart/heat_map.h"
#include "report/charts.h"

namespace moetune {
namespace {

constexpr const char* kAcross = "BLOCK_SIZE_N";
constexpr const char* kUp = "BLOCK_SIZE_M";

/// Trials of one stage of one problem with one engine.
using Slice = std::vector<const StageTrial*>;

/// The pairs of values that were tried.
std::size_t pairs_of(const Slice& slice) {
  std::set<std::pair<int, int>> pairs;
  for (const StageTrial* trial : slice) pairs.emplace(trial->config.config.at(kAcross), trial->config.config.at(kUp));
  return pairs.size();
}

/// The one that has most pairs of values tried.
Slice fullest_slice(const Report& report, const RowGroup& group) {
  std::map<std::tuple<std::int64_t, Stage, std::string>, Slice> slices;
  for (const StageTrial& trial : report.stage_trials) {
    const auto row = std::find_if(group.rows.begin(), group.rows.end(), [&](const ReportRow* each) {
      return each->best.problem == trial.problem && report.runs[each->run].device == report.runs[trial.run].device;
    });
    if (row == group.rows.end() || !trial.config.config.find(kAcross) || !trial.config.config.find(kUp)) continue;
    slices[{trial.problem.M, trial.stage, trial.config.engine}].push_back(&trial);
  }
  Slice fullest;
  for (const auto& [key, slice] : slices)
    if (pairs_of(slice) > pairs_of(fullest)) fullest = slice;
  return fullest;
}

std::vector<std::string> labels_of(const std::set<int>& values) {
  std::vector<std::string> labels;
  for (const int value : values) labels.push_back(fmt::format("{}", value));
  return labels;
}

std::ptrdiff_t place_of(const std::set<int>& values, int value) {
  return std::distance(values.begin(), values.find(value));
}

}  // namespace

std::string slice_chart(const Report& report, const RowGroup& group) {
  const Slice slice = fullest_slice(report, group);
  if (pairs_of(slice) < 4) return "";
  std::set<int> across, up;
  double best_us = slice.front()->median_us, worst_us = best_us;
  for (const StageTrial* trial : slice) {
    across.insert(trial->config.config.at(kAcross));
    up.insert(trial->config.config.at(kUp));
    best_us = std::min(best_us, trial->median_us);
    worst_us = std::max(worst_us, trial->median_us);
  }
  const StageTrial& first = *slice.front();
  HeatMap chart{.title = fmt::format("{}, {}, M = {}", to_string(first.stage), first.config.engine, first.problem.M),
                .x_title = kAcross,
                .y_title = fmt::format("{}; best time, 1 is {:.2f} µs", kUp, best_us),
                .x_labels = labels_of(across),
                .y_labels = labels_of(up),
                .cells = {}};
  chart.weakest = std::clamp(worst_us / best_us, 1.1, 2.0);
  chart.cells.assign(up.size(), std::vector<std::optional<HeatMap::Cell>>(across.size()));
  for (const StageTrial* trial : slice) {
    const int n = trial->config.config.at(kAcross), m = trial->config.config.at(kUp);
    std::optional<HeatMap::Cell>& cell = chart.cells[place_of(up, m)][place_of(across, n)];
    const double ratio = trial->median_us / best_us;
    if (cell && cell->value <= ratio) continue;
    cell = HeatMap::Cell{.value = ratio,
                         .label = fmt::format("{:.2f}", ratio),
                         .hint = {.text = fmt::format("{:.2f} µs with {}", trial->median_us, to_label(trial->config))}};
  }
  return to_svg(chart);
}

}  // namespace moetune
