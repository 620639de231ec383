#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/answer.h"
#include "report/exporters.h"
#include "results/repro.h"

namespace moetune {
namespace {

/// Text that Markdown would read as markup or as the end of a table's cell.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("|*_`<>[]\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string provenance(const Environment& run) {
  std::vector<std::string> words;
  for (const std::string& word : run.command) words.push_back(shell_quote(word));
  std::string text = fmt::format("- {}: {} ({}", run.created, escape(run.device.name), escape(run.device.id));
  if (!run.device.driver.empty()) text += fmt::format(", driver {}", escape(run.device.driver));
  if (!run.device.compiler.empty()) text += fmt::format(", {}", escape(run.device.compiler));
  text += fmt::format("); host {}, {} threads, {}; moe-tune {} ({}, {})", escape(run.cpu), run.hardware_threads,
                      escape(run.system), run.build.version, run.build.git_revision, run.build.compiler);
  if (run.ceilings.read_bytes_per_s > 0)
    text += fmt::format("; ceilings {:.0f} GB/s and {:.1f} TFLOP/s, measured", run.ceilings.read_bytes_per_s * 1e-9,
                        run.ceilings.matrix_flops_per_s * 1e-12);
  return text + fmt::format("\n\n      {}\n", fmt::join(words, " "));
}

/// What failed most often first; a report has no room for all.
std::vector<std::pair<std::int64_t, std::string>> most_frequent_failures(const Report& report) {
  constexpr std::size_t kMost = 10;
  std::vector<std::pair<std::int64_t, std::string>> failures;
  for (const auto& [reason, count] : report.failure_reasons) failures.emplace_back(count, reason);
  std::stable_sort(failures.begin(), failures.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (failures.size() > kMost) failures.resize(kMost);
  return failures;
}

std::string ratio_text(const Ratio& ratio) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", ratio.value, ratio.low, ratio.high);
}

std::string known(double value, int digits) {
  return value > 0 ? fmt::format("{:.{}f}", value, digits) : "–";
}

/// With a column for bursts where `bursts`.
std::string table_row(const ReportRow& row, bool bursts) {
  const Best& best = row.best;
  const bool merged = best.config.impl != Impl::three_kernel;
  const std::string versus = best.versus_three_kernel ? ratio_text(*best.versus_three_kernel) : merged ? "–" : "1";
  const std::optional<double> burst_us = row.differing_burst_us();
  const std::string burst = burst_us ? fmt::format(" {:.2f} |", *burst_us) : bursts ? "  |" : "";
  return fmt::format("| {} | {} | {:.2f} [{:.2f}, {:.2f}] |{} {} | {} | {} | {} | {} | `{}`{} |\n", best.problem.M,
                     escape(to_string(best.config.impl)), best.time.median_us, best.time.ci_low_us,
                     best.time.ci_high_us, burst, format_figure(row.tflops()), format_figure(row.gbps()),
                     known(100 * best.roofline_fraction(), 1), versus, merged ? known(best.ceiling, 3) : "",
                     stage_labels(best.config), best.verdict.passed ? "" : " **not verified**");
}

std::string main_table(const RowGroup& group) {
  const bool bursts = has_differing_bursts(group);
  std::string text = fmt::format(
      "| M | implementation | µs [95 % interval] |{} TFLOP/s | GB/s | % of roofline | x three\\_kernel | ceiling | "
      "config |\n|---:|---|---:|{}---:|---:|---:|---:|---:|---|\n",
      bursts ? " µs in a burst |" : "", bursts ? "---:|" : "");
  for (const ReportRow* row : group.rows) text += table_row(*row, bursts);
  if (bursts)
    text += fmt::format(
        "\nTimes, and what is derived from them, are {}. In a burst, a few runs after a rest: given where it differs "
        "by more than 3 %.\n",
        group.rows.front()->best.timing.load == LoadState::lasting ? "under lasting load" : "of replays");
  return text;
}

std::string stage_table(const RowGroup& group) {
  std::vector<Stage> stages;
  for (const Stage stage : kStages)
    if (std::any_of(group.rows.begin(), group.rows.end(),
                    [&](auto* row) { return row->best.stage_times.contains(stage); }))
      stages.push_back(stage);
  if (stages.empty()) return "";
  std::string text = "\nEach stage timed alone, µs:\n\n| M | implementation |";
  for (const Stage stage : stages) text += fmt::format(" {} |", to_string(stage));
  text += "\n|---:|---|";
  for (std::size_t i = 0; i < stages.size(); ++i) text += "---:|";
  text += "\n";
  for (const ReportRow* row : group.rows) {
    text += fmt::format("| {} | {} |", row->best.problem.M, escape(to_string(row->best.config.impl)));
    for (const Stage stage : stages) {
      const auto time = row->best.stage_times.find(stage);
      text += time == row->best.stage_times.end() ? "  |" : fmt::format(" {:.2f} |", time->second.median_us);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string to_markdown(const Report& report) {
  std::string out =
      fmt::format("# Expert MLP: merged against three\\_kernel\n\n**{}**\n\n", escape(answer_line(report)));
  out += "Runs:\n\n";
  for (const Environment& run : report.runs) out += provenance(run);
  if (!report.outcomes.empty()) {
    out += "\nTrials:";
    const char* separator = " ";
    for (const auto& [outcome, count] : report.outcomes) {
      out += fmt::format("{}{} {}", separator, count, escape(to_string(outcome)));
      separator = ", ";
    }
    out += ". Only configs whose output was verified were timed.\n";
    for (const auto& [count, reason] : most_frequent_failures(report))
      out += fmt::format("\n- {} x {}", count, escape(reason));
    if (!report.failure_reasons.empty()) out += "\n";
  }

  if (const auto bands = compare_by_band(report); !bands.empty()) {
    out +=
        "\n## Geometric means\n\n| range | problems | merged, x three\\_kernel | ceiling | of the roofline |\n"
        "|---|---:|---:|---:|---:|\n";
    for (const Band& band : bands)
      out += fmt::format("| {} | {} | {} | {} | {} |\n", escape(band.name), band.comparison.problems,
                         ratio_text(band.comparison.speedup), known(band.comparison.ceiling, 3),
                         known(band.comparison.roofline_fraction, 2));
    out +=
        "\nIntervals are at 95 %. The ceiling is how many times as fast as three\\_kernel merged could be if the GEMMs "
        "of both were equally good.\n";
  }

  for (const RowGroup& group : group_rows(report)) {
    out += fmt::format("\n## {}\n\n{}; {}\n\n", escape(group.title), escape(group.details), escape(group.device));
    out += main_table(group) + stage_table(group);
  }

  if (!report.rows.empty()) {
    out += "\n## Commands that repeat each line\n\n```sh\n";
    for (const ReportRow& row : report.rows) out += repro_command(row.best, report.runs[row.run].device.id) + "\n";
    out += "```\n";
  }
  return out;
}

}  // namespace moetune
