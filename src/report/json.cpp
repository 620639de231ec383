#include "results/json.h"

#include <nlohmann/json.hpp>

#include "report/answer.h"
#include "report/exporters.h"

namespace moetune {
namespace {

Json to_json(const Comparison& comparison) {
  return {{"problems", comparison.problems},
          {"speedup", moetune::to_json(comparison.speedup)},
          {"ceiling", comparison.ceiling},
          {"roofline_fraction", comparison.roofline_fraction}};
}

}  // namespace

std::string to_json_text(const Report& report) {
  Json json{{"schema", "moe-tune/report"}, {"schema_version", kSchemaVersion}, {"answer", answer_line(report)}};
  json["bands"] = Json::object();
  for (const Band& band : compare_by_band(report)) json["bands"][band.name] = to_json(band.comparison);
  json["trials"] = Json::object();
  for (const auto& [outcome, count] : report.outcomes) json["trials"][std::string(to_string(outcome))] = count;
  json["failures"] = Json::object();
  for (const auto& [reason, count] : report.failure_reasons) json["failures"][reason] = count;
  json["runs"] = Json::array();
  for (const Environment& run : report.runs) json["runs"].push_back(to_json(run));
  json["results"] = Json::array();
  for (const ReportRow& row : report.rows) {
    Json result = to_json(row.best, report.runs[row.run].device.id);
    result["tflops"] = row.tflops();
    result["gbps"] = row.gbps();
    result["run"] = row.run;  // index into "runs"
    json["results"].push_back(std::move(result));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace moetune
