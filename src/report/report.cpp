#include "report/report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/names.h"

namespace moetune {
namespace {

std::string describe_shape(const Best& best) {
  const Problem& problem = best.problem;
  std::string text = fmt::format("K={} N1={} N2={} E={} topk={} {} {}", problem.K, problem.N1, problem.N2, problem.E,
                                 problem.topk, to_string(problem.dtype), to_string(problem.activation));
  if (problem.bias != Bias::none)
    text += fmt::format(" bias {}", problem.bias == Bias::both ? "b1 b2" : to_string(problem.bias));
  if (problem.weight_on_input) text += " weight on input";
  if (problem.ep_ranks > 1) text += fmt::format(" ep {} rank {}", problem.ep_ranks, problem.ep_rank);
  text += fmt::format(", {} routing, {} cache, {} launch", to_string(problem.routing), to_string(best.timing.cache),
                      to_string(best.timing.launch));
  if (best.timing.load != LoadState::lasting) text += fmt::format(", load {}", to_string(best.timing.load));
  return text;
}

/// Rows of one group are neighbours in this order.
auto sort_key(const Report& report, const ReportRow& row) {
  const DeviceInfo& device = report.runs[row.run].device;
  return std::tuple(device.name, row.best.problem.model, describe_shape(row.best), row.best.problem.M,
                    row.best.config.impl, device.id);
}

void add(Report& report, const Best& best, std::size_t run) {
  const ReportRow row{.best = best, .run = run};
  for (ReportRow& other : report.rows) {
    if (sort_key(report, other) != sort_key(report, row)) continue;
    if (report.runs[other.run].created <= report.runs[run].created) other = row;
    return;
  }
  report.rows.push_back(row);
}

}  // namespace

std::optional<double> ReportRow::differing_burst_us() const {
  constexpr double kWorthTelling = 0.03;
  if (!best.burst || std::abs(best.burst->median_us / best.time.median_us - 1) <= kWorthTelling) return std::nullopt;
  return best.burst->median_us;
}

bool has_differing_bursts(const RowGroup& group) {
  return std::any_of(group.rows.begin(), group.rows.end(),
                     [](auto* row) { return row->differing_burst_us().has_value(); });
}

Report make_report(std::span<const Journal> journals, std::span<const BestFile> best_files) {
  Report report;
  for (const Journal& journal : journals) {
    const std::size_t first = report.runs.size();
    for (const Journal::Run& run : journal.runs) report.runs.push_back(run.environment);
    for (const auto& [trial, run, line] : journal.trials) {
      ++report.outcomes[trial.outcome];
      if (trial.stage && trial.time && trial.config.stages.contains(*trial.stage))
        report.stage_trials.push_back({.problem = trial.problem,
                                       .stage = *trial.stage,
                                       .config = trial.config.stages.at(*trial.stage),
                                       .run = first + run,
                                       .median_us = trial.time->median_us});
      if (trial.outcome != Outcome::ok) ++report.failure_reasons[to_string(Failure{trial.outcome, trial.reason})];
    }
    for (const auto& [best, run, line] : journal.bests) add(report, best, first + run);
  }
  for (const BestFile& file : best_files) {
    const auto known = std::find(report.runs.begin(), report.runs.end(), file.environment);
    const auto run = static_cast<std::size_t>(known - report.runs.begin());
    if (known == report.runs.end()) report.runs.push_back(file.environment);
    add(report, file.best, run);
  }
  std::stable_sort(report.rows.begin(), report.rows.end(),
                   [&](const ReportRow& a, const ReportRow& b) { return sort_key(report, a) < sort_key(report, b); });
  return report;
}

std::vector<RowGroup> group_rows(const Report& report) {
  std::vector<RowGroup> groups;
  for (const ReportRow& row : report.rows) {
    const DeviceInfo& device = report.runs[row.run].device;
    RowGroup group{.title = row.best.problem.model.empty() ? "custom shape" : row.best.problem.model,
                   .details = describe_shape(row.best),
                   .device = device.name,
                   .rows = {}};
    if (groups.empty() || std::tie(groups.back().title, groups.back().details, groups.back().device) !=
                              std::tie(group.title, group.details, group.device))
      groups.push_back(std::move(group));
    groups.back().rows.push_back(&row);
  }
  for (RowGroup& group : groups) {
    std::set<std::string> ids;
    for (const ReportRow* row : group.rows) ids.insert(report.runs[row->run].device.id);
    group.device += fmt::format(" ({})", fmt::join(ids, ", "));
  }
  return groups;
}

std::string format_figure(double value) {
  const int digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : value >= 0.1 ? 3 : 4;
  return fmt::format("{:.{}f}", value, digits);
}

std::string stage_labels(const PipelineConfig& config) {
  std::string text;
  for (const auto& [stage, stage_config] : config.stages)
    text += fmt::format("{}{}[{}]", text.empty() ? "" : " ", to_string(stage), to_label(stage_config));
  return text;
}

}  // namespace moetune
