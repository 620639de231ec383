// A report as charts. Every mark says on hovering what it is, and leads to the row of the tables that it stands for.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace moetune {

struct NamedChart {
  std::string name;  ///< of a file: "speedup-qwen3-30b-a3b"
  std::string svg;
};

struct ReportCharts {
  struct Section {
    std::string title;
    std::vector<NamedChart> charts;
  };
  std::vector<NamedChart> overview;
  std::vector<Section> groups;   ///< one for each of group_rows(), in order
  std::vector<Section> engines;  ///< what its tunables matter
};

/// Charts that have nothing to show are left out.
ReportCharts make_charts(const Report& report);

/// The id of a row in the page: "row-12".
std::string row_id(const Report& report, const ReportRow& row);

// The parts, each in a file of its own; an empty string where there is nothing to show.
std::string overview_chart(const Report& report, const std::vector<RowGroup>& groups);
std::string speedup_chart(const Report& report, const RowGroup& group);
std::string roofline_chart(const Report& report, const RowGroup& group);
std::string stage_chart(const Report& report, const RowGroup& group);
std::string slice_chart(const Report& report, const RowGroup& group);
std::vector<ReportCharts::Section> tunable_charts(const Report& report);

}  // namespace moetune
