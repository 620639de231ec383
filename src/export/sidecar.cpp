#include "export/sidecar.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "results/json.h"

namespace moetune {
namespace {

constexpr std::string_view kSchema = "moe-tune/export";

Json to_json(const SidecarRow& row, const std::vector<Environment>& runs) {
  Json json{{"M", row.best.problem.M},
            {"exported", row.exported},
            {"left_out", row.left_out},
            {"note", row.note},
            {"run", row.run}};
  const Json record = moetune::to_json(row.best, runs[row.run].device.id);
  for (const auto& [key, value] : record.items()) json[key] = value;
  return json;
}

SidecarRow read_row(const Field& field, std::size_t runs) {
  SidecarRow row{.best = read_best(field),
                 .exported = field.at("exported").boolean(),
                 .left_out = field.at("left_out").text(),
                 .note = field.at("note").text(),
                 .run = field.at("run").unsigned_integer()};
  if (row.run >= runs) field.at("run").fail(fmt::format("must be an index into the {} runs", runs));
  return row;
}

}  // namespace

std::string to_text(const Sidecar& sidecar) {
  Json json{{"schema", kSchema},        {"schema_version", kSchemaVersion},
            {"format", sidecar.format}, {"files", sidecar.files},
            {"rows", Json::array()},    {"runs", Json::array()}};
  for (const SidecarRow& row : sidecar.rows) json["rows"].push_back(to_json(row, sidecar.runs));
  for (const Environment& run : sidecar.runs) json["runs"].push_back(moetune::to_json(run));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Sidecar parse_sidecar(std::string_view text, std::string_view origin_name) {
  const Origin origin{.file = std::string(origin_name), .line = 0};
  const Json json = parse_json(text, origin);
  const Field document(json, origin);
  check_schema(document, kSchema);
  Sidecar sidecar{.format = document.at("format").text(), .files = {}, .rows = {}, .runs = {}};
  for (const Field& file : document.at("files").elements()) sidecar.files.push_back(file.text());
  for (const Field& run : document.at("runs").elements()) sidecar.runs.push_back(read_environment(run));
  for (const Field& row : document.at("rows").elements()) sidecar.rows.push_back(read_row(row, sidecar.runs.size()));
  return sidecar;
}

}  // namespace moetune
