#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/markup.h"
#include "base/resources.h"
#include "chart/svg.h"
#include "report/answer.h"
#include "report/charts.h"
#include "report/exporters.h"
#include "results/repro.h"

namespace moetune {
namespace {

/// A cell of a table; `value` is what it is sorted by, where the text is no number.
std::string cell(std::string_view text, std::string_view value = "", std::string_view classes = "") {
  return fmt::format("<td{}{}>{}</td>", classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
                     value.empty() ? "" : fmt::format(" data-value=\"{}\"", escape_markup(value)), text);
}

struct Column {
  std::string_view title;
  bool is_text = false;
};

std::string table(const std::vector<Column>& columns, const std::string& rows) {
  std::string head;
  for (const Column& column : columns)
    head += fmt::format("<th scope=\"col\"{}><button type=\"button\">{}</button></th>",
                        column.is_text ? " class=\"text\"" : "", column.title);
  return fmt::format("<div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
                     head, rows);
}

std::string tile(std::string_view figure, std::string_view meaning) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", figure, meaning);
}

std::string card(const NamedChart& chart) {
  return fmt::format("<figure class=\"card\" id=\"{}\" style=\"margin:0\">{}</figure>\n", escape_markup(chart.name),
                     chart.svg);
}

std::string cards(const std::vector<NamedChart>& charts, std::string_view classes) {
  std::string text = fmt::format("<div class=\"{}\">\n", classes);
  for (const NamedChart& chart : charts) text += card(chart);
  return text + "</div>\n";
}

std::string known(double value, int digits) {
  return value > 0 ? fmt::format("{:.{}f}", value, digits) : "";
}

std::string ratio_text(const Ratio& ratio) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", ratio.value, ratio.low, ratio.high);
}

std::string tiles(const Report& report) {
  std::vector<const ReportRow*> rows;
  for (const ReportRow& row : report.rows) rows.push_back(&row);
  std::string text;
  if (const auto all = compare(rows)) {
    text += tile(fmt::format("{:.3f}x", all->speedup.value),
                 fmt::format("merged against three_kernel, geometric mean of {} problem{}", all->problems,
                             all->problems == 1 ? "" : "s"));
    if (all->ceiling > 0) text += tile(fmt::format("{:.3f}x", all->ceiling), "its ceiling, with equally good GEMMs");
    if (all->roofline_fraction > 0)
      text += tile(fmt::format("{:.0f} %", 100 * all->roofline_fraction), "of the roofline, merged");
  }
  std::int64_t trials = 0;
  for (const auto& [outcome, count] : report.outcomes) trials += count;
  if (trials > 0) text += tile(fmt::format("{}", trials), "configs tried");
  std::set<std::string> devices;
  for (const ReportRow& row : report.rows) devices.insert(report.runs[row.run].device.name);
  text += tile(escape_markup(fmt::format("{}", fmt::join(devices, ", "))), devices.size() == 1 ? "device" : "devices");
  return fmt::format("<div class=\"tiles\">\n{}</div>\n", text);
}

std::string means_row(std::string_view name, const Comparison& mean) {
  return "<tr>" + cell(name, "", "text") + cell(fmt::format("{}", mean.problems)) +
         cell(ratio_text(mean.speedup), fmt::format("{}", mean.speedup.value)) + cell(known(mean.ceiling, 3)) +
         cell(known(100 * mean.roofline_fraction, 1)) + "</tr>\n";
}

std::string means_tables(const Report& report, const std::vector<RowGroup>& groups,
                         const std::vector<std::string>& titles) {
  std::string by_range, by_shape;
  for (const Band& band : compare_by_band(report)) {
    std::string name = escape_markup(band.name);
    if (const auto at = name.find("&lt;="); at != name.npos) name.replace(at, 5, "≤");
    by_range += means_row(name, band.comparison);
  }
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (const auto mean = compare(groups[i].rows))
      by_shape += means_row(fmt::format("<a href=\"#shape-{}\">{}</a>", i, escape_markup(titles[i])), *mean);
  if (by_range.empty()) return "";
  const auto with_title = [](std::string_view title, const std::string& rows) {
    return table({{title, true}, {"problems"}, {"x three_kernel"}, {"ceiling"}, {"% of roofline"}}, rows);
  };
  return "<div><h3>Geometric means</h3>\n" + with_title("range of M", by_range) + "<p></p>\n" +
         with_title("shape", by_shape) +
         "<p class=\"note\">Intervals are at 95 %. The ceiling is how many times as fast as three_kernel merged could "
         "be "
         "if the GEMMs of both were equally good.</p></div>\n";
}

/// What a group is called in the page: shapes of one model are told apart.
std::vector<std::string> titles_of(const std::vector<RowGroup>& groups) {
  std::vector<std::string> titles;
  for (const RowGroup& group : groups) {
    const auto alike =
        std::count_if(groups.begin(), groups.end(), [&](const RowGroup& other) { return other.title == group.title; });
    titles.push_back(alike == 1 ? group.title
                                : fmt::format("{} N1={}", group.title, group.rows.front()->best.problem.N1));
  }
  return titles;
}

std::string result_row(const Report& report, const ReportRow& row) {
  const Best& best = row.best;
  const bool merged = best.config.impl == Impl::merged;
  const std::string versus = best.versus_three_kernel ? ratio_text(*best.versus_three_kernel) : merged ? "" : "1";
  const std::string versus_value = best.versus_three_kernel ? fmt::format("{}", best.versus_three_kernel->value)
                                   : merged                 ? ""
                                                            : "1";
  std::string text = fmt::format("<tr id=\"{}\">", row_id(report, row));
  text += cell(fmt::format("{}", best.problem.M));
  text += cell(to_string(best.config.impl), "", "text");
  text += cell(fmt::format("{:.2f}", best.time.median_us));
  text += cell(fmt::format("{:.2f} – {:.2f}", best.time.ci_low_us, best.time.ci_high_us),
               fmt::format("{}", best.time.relative_half_width()));
  text += cell(format_figure(row.tflops())) + cell(format_figure(row.gbps()));
  text += cell(known(100 * best.roofline_fraction(), 1));
  text += cell(versus, versus_value) + cell(merged ? known(best.ceiling, 3) : "");
  const std::string verified = best.verdict.passed ? "" : "<span class=\"bad\">not verified</span> ";
  text += cell(fmt::format("{}<details><summary><code>{}</code></summary><pre>{}</pre></details>", verified,
                           escape_markup(stage_labels(best.config)),
                           escape_markup(repro_command(best, report.runs[row.run].device.id))),
               stage_labels(best.config), "text config");
  return text + "</tr>\n";
}

std::string group_section(const Report& report, const RowGroup& group, const std::string& title,
                          const ReportCharts::Section& charts, std::size_t number) {
  std::string rows;
  for (const ReportRow* row : group.rows) rows += result_row(report, *row);
  return fmt::format("<section id=\"shape-{}\">\n<h2>{}</h2>\n<p class=\"note\">{}; {}</p>\n", number,
                     escape_markup(title), escape_markup(group.details), escape_markup(group.device)) +
         cards(charts.charts, "charts") +
         table({{"M"},
                {"implementation", true},
                {"µs"},
                {"95 % interval"},
                {"TFLOP/s"},
                {"GB/s"},
                {"% of roofline"},
                {"x three_kernel"},
                {"ceiling"},
                {"config, and the command that repeats it", true}},
               rows) +
         "</section>\n";
}

std::string engines_section(const std::vector<ReportCharts::Section>& engines) {
  if (engines.empty()) return "";
  std::string text =
      "<section id=\"tunables\">\n<h2>How much each tunable matters</h2>\n<p class=\"note\">For each value of a "
      "parameter "
      "the best time that any config with it had, over the best of all configs of that engine: geometric means over "
      "shapes, M and stages. Searches visit promising values more often, so a bad value may look worse than it is."
      "</p>\n";
  for (const ReportCharts::Section& engine : engines)
    text += fmt::format("<h3>{}</h3>\n", escape_markup(engine.title)) + cards(engine.charts, "charts small");
  return text + "</section>\n";
}

std::string run_details(const Environment& run) {
  std::vector<std::string> words;
  for (const std::string& word : run.command) words.push_back(shell_quote(word));
  std::string text = fmt::format("{} ({}", run.device.name, run.device.id);
  if (!run.device.driver.empty()) text += fmt::format(", driver {}", run.device.driver);
  if (!run.device.compiler.empty()) text += fmt::format(", {}", run.device.compiler);
  text += fmt::format("); host {}, {} threads, {}; moe-tune {} ({}, {})", run.cpu, run.hardware_threads, run.system,
                      run.build.version, run.build.git_revision, run.build.compiler);
  if (run.ceilings.read_bytes_per_s > 0)
    text += fmt::format("; ceilings {:.0f} GB/s and {:.1f} TFLOP/s, measured", run.ceilings.read_bytes_per_s * 1e-9,
                        run.ceilings.matrix_flops_per_s * 1e-12);
  return fmt::format("<details class=\"runs\" open><summary>{}</summary><p>{}</p><pre>{}</pre></details>\n",
                     escape_markup(run.created), escape_markup(text),
                     escape_markup(fmt::format("{}", fmt::join(words, " "))));
}

std::string provenance_section(const Report& report) {
  std::string text = "<section id=\"provenance\">\n<h2>Where the figures come from</h2>\n";
  for (const Environment& run : report.runs) text += run_details(run);
  if (!report.outcomes.empty()) {
    std::vector<std::string> counts;
    for (const auto& [outcome, count] : report.outcomes)
      counts.push_back(fmt::format("{} {}", count, to_string(outcome)));
    text += fmt::format("<p>Trials: {}. Only configs whose output was verified were timed.</p>\n",
                        escape_markup(fmt::format("{}", fmt::join(counts, ", "))));
  }
  if (!report.failure_reasons.empty()) {
    std::string rows;
    for (const auto& [reason, count] : report.failure_reasons)
      rows += "<tr>" + cell(fmt::format("{}", count)) + cell(escape_markup(reason), "", "text config") + "</tr>\n";
    text += "<h3>Why trials failed</h3>\n" + table({{"trials"}, {"reason", true}}, rows);
  }
  return text + "</section>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  const std::vector<RowGroup> groups = group_rows(report);
  const std::vector<std::string> titles = titles_of(groups);
  const ReportCharts charts = make_charts(report);
  std::string links, sections;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    links += fmt::format("<a href=\"#shape-{}\">{}</a>\n", i, escape_markup(titles[i]));
    sections += group_section(report, groups[i], titles[i], charts.groups[i], i);
  }
  if (!charts.engines.empty()) links += "<a href=\"#tunables\">tunables</a>\n";
  links += "<a href=\"#provenance\">provenance</a>\n";

  std::string overview = means_tables(report, groups, titles);
  for (const NamedChart& chart : charts.overview) overview += card(chart);
  if (!overview.empty()) overview = fmt::format("<div class=\"wide\">\n{}</div>\n", overview);

  const std::string title = "Expert MLP: merged against three_kernel";
  return fmt::format(
             "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n"
             "<style>\n{1}{2}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n<p "
             "class=\"answer\">{3}</p>\n</header>\n",
             title, chart_style(), resource("src/report/page.css"), escape_markup(answer_line(report))) +
         tiles(report) + fmt::format("<nav>\n{}</nav>\n", links) + overview + sections +
         engines_section(charts.engines) + provenance_section(report) +
         fmt::format("<script>\n{}</script>\n</body>\n</html>\n", resource("src/report/page.js"));
}

}  // namespace moetune
