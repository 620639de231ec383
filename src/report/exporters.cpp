#include "report/exporters.h"

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {
namespace {

constexpr Exporter kExporters[] = {
    {"console", ".txt", "aligned text", [](const Report& report) { return to_console(report, false); }},
    {"markdown", ".md", "tables per model, means per range of M, provenance, repro commands", to_markdown},
    {"csv", ".csv", "one line per problem and implementation, for spreadsheets and scripts", to_csv},
    {"json", ".json", "everything, for programs (schema in results/README.md)", to_json_text},
    {"html", ".html", "charts and tables as one page that needs no network", to_html},
};

}  // namespace

std::span<const Exporter> exporters() {
  return kExporters;
}

const Exporter& find_exporter(std::string_view name) {
  std::string known;
  for (const Exporter& exporter : kExporters) {
    if (exporter.name == name) return exporter;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", exporter.name);
  }
  throw Error(fmt::format("unknown format '{}': use one of {}", name, known));
}

}  // namespace moetune
