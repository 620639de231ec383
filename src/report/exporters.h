// The formats a report can be written in. Each is a pure function in a file of its own.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "report/report.h"

namespace moetune {

std::string to_console(const Report& report, bool colours);
std::string to_markdown(const Report& report);
std::string to_csv(const Report& report);
std::string to_json_text(const Report& report);
std::string to_html(const Report& report);

struct Exporter {
  std::string_view name;       ///< as in `report --format`
  std::string_view extension;  ///< ".md"
  std::string_view summary;    ///< for --help
  std::string (*write)(const Report& report);
};

std::span<const Exporter> exporters();
/// Throws Error naming the formats there are.
const Exporter& find_exporter(std::string_view name);

}  // namespace moetune
