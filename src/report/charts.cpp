#include "report/charts.h"

#include <cctype>
#include <map>

#include <fmt/format.h>

namespace moetune {
namespace {

std::string file_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '.')
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  return name;
}

}  // namespace

std::string row_id(const Report& report, const ReportRow& row) {
  return fmt::format("row-{}", &row - report.rows.data());
}

ReportCharts make_charts(const Report& report) {
  ReportCharts charts;
  const std::vector<RowGroup> groups = group_rows(report);
  const auto add = [](std::vector<NamedChart>& to, const std::string& name, std::string svg) {
    if (!svg.empty()) to.push_back({.name = name, .svg = std::move(svg)});
  };
  if (groups.size() > 1) add(charts.overview, "speedup-all", overview_chart(report, groups));
  std::map<std::string, int> seen;
  for (const RowGroup& group : groups) {
    std::string name = file_name(group.title);
    if (const int count = ++seen[name]; count > 1) name += fmt::format("-{}", count);
    ReportCharts::Section& section = charts.groups.emplace_back();
    section.title = group.title;
    add(section.charts, "speedup-" + name, speedup_chart(report, group));
    add(section.charts, "roofline-" + name, roofline_chart(report, group));
    add(section.charts, "stages-" + name, stage_chart(report, group));
    add(section.charts, "slice-" + name, slice_chart(report, group));
  }
  charts.engines = tunable_charts(report);
  return charts;
}

}  // namespace moetune
