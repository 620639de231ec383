#include "results/best_file.h"

#include <cctype>
#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "results/json.h"

namespace moetune {
namespace {

constexpr std::string_view kBestSchema = "moe-tune/best-config";

/// Letters, digits and a few signs stay; the rest becomes '-'.
std::string as_file_name(std::string_view text) {
  std::string name(text);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') c = '-';
  return name;
}

/// Paths are too long for a name, so a digest (FNV-1a) tells them apart.
std::string routing_name(const RoutingSpec& routing) {
  if (routing.kind != RoutingSpec::Kind::file) return as_file_name(to_string(routing));
  std::uint32_t digest = 2166136261u;
  for (const unsigned char c : routing.path) digest = (digest ^ c) * 16777619u;
  return fmt::format("file-{:08x}", digest);
}

}  // namespace

std::string to_text(const BestFile& file) {
  Json json{{"schema", kBestSchema}, {"schema_version", kSchemaVersion}};
  const Json record = to_json(file.best, file.environment.device.id);
  for (const auto& [key, value] : record.items()) json[key] = value;
  json["environment"] = to_json(file.environment);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

BestFile parse_best_file(std::string_view text, std::string_view origin_name) {
  const Origin origin{.file = std::string(origin_name), .line = 0};
  const Json json = parse_json(text, origin);
  const Field document(json, origin);
  check_schema(document, kBestSchema);
  return {.best = read_best(document), .environment = read_environment(document.at("environment"))};
}

BestFile read_best_file(const std::filesystem::path& path) {
  return parse_best_file(read_file(path), path.string());
}

std::string problem_file_name(const Problem& problem) {
  std::string name = problem.model.empty() ? "custom" : as_file_name(problem.model);
  name += fmt::format("_M{}_K{}_N1-{}_N2-{}_E{}_topk{}_{}_{}", problem.M, problem.K, problem.N1, problem.N2, problem.E,
                      problem.topk, to_string(problem.dtype), to_string(problem.activation));
  if (problem.bias != Bias::none) name += fmt::format("_bias-{}", to_string(problem.bias));
  if (problem.weight_on_input) name += "_weight-on-input";
  if (problem.ep_ranks > 1) name += fmt::format("_ep{}-rank{}", problem.ep_ranks, problem.ep_rank);
  return name + "_" + routing_name(problem.routing);
}

std::string best_file_name(const Problem& problem, Impl impl) {
  return fmt::format("{}.{}.json", problem_file_name(problem), to_string(impl));
}

std::filesystem::path write_best_file(const std::filesystem::path& folder, const BestFile& file) {
  const std::filesystem::path path = folder / best_file_name(file.best.problem, file.best.config.impl);
  write_file_atomically(path, to_text(file));
  return path;
}

}  // namespace moetune
