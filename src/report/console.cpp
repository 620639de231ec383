#include "report/exporters.h"
#include "report/text_table.h"

#include <fmt/format.h>

namespace moetune {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kRed = "\x1b[31m";

TextTable::Cell versus_cell(const Best& best) {
  if (!best.versus_three_kernel) return {.text = best.config.impl == Impl::three_kernel ? "1" : "-"};
  const Ratio& ratio = *best.versus_three_kernel;
  // Coloured only where the interval is clear of 1.
  return {.text = fmt::format("{:.3f} [{:.3f}, {:.3f}]", ratio.value, ratio.low, ratio.high),
          .colour = ratio.low > 1    ? kGreen
                    : ratio.high < 1 ? kRed
                                     : std::string_view()};
}

std::string known(double value, std::string text) {
  return value > 0 ? std::move(text) : "-";
}

constexpr int kBurstColumn = 4;  // beside the time that is reported

TextTable::Cell burst_cell(const ReportRow& row) {
  const std::optional<double> us = row.differing_burst_us();
  return {.text = us ? fmt::format("{:.2f}", *us) : ""};
}

TextTable table_of(const RowGroup& group) {
  using enum TextTable::Align;
  const bool bursts = has_differing_bursts(group);
  std::vector<TextTable::Column> columns{{"M"},
                                         {"implementation", left},
                                         {"µs"},
                                         {"95 % interval", left},
                                         {"TFLOP/s"},
                                         {"GB/s"},
                                         {"% of roofline"},
                                         {"x three_kernel"},
                                         {"ceiling"},
                                         {"config", left}};
  if (bursts) columns.insert(columns.begin() + kBurstColumn, TextTable::Column{"µs in a burst"});
  TextTable table(std::move(columns));
  for (const ReportRow* row : group.rows) {
    const Best& best = row->best;
    std::vector<TextTable::Cell> cells{
        {fmt::format("{}", best.problem.M)},
        {std::string(to_string(best.config.impl))},
        {fmt::format("{:.2f}", best.time.median_us)},
        {fmt::format("[{:.2f}, {:.2f}]", best.time.ci_low_us, best.time.ci_high_us)},
        {format_figure(row->tflops())},
        {format_figure(row->gbps())},
        {known(best.roofline_us, fmt::format("{:.1f}", 100 * best.roofline_fraction()))},
        versus_cell(best),
        {best.config.impl != Impl::three_kernel ? known(best.ceiling, fmt::format("{:.3f}", best.ceiling)) : ""},
        {stage_labels(best.config) + (best.verdict.passed ? "" : " NOT VERIFIED")}};
    if (bursts) cells.insert(cells.begin() + kBurstColumn, burst_cell(*row));
    table.add(std::move(cells));
  }
  return table;
}

}  // namespace

std::string to_console(const Report& report, bool colours) {
  std::string out;
  for (const RowGroup& group : group_rows(report)) {
    if (!out.empty()) out += "\n";
    out += fmt::format("{}{}{}  {}\n  on {}\n", colours ? kBold : "", group.title, colours ? "\x1b[0m" : "",
                       group.details, group.device);
    out += table_of(group).to_string(colours);
  }
  return out;
}

}  // namespace moetune
