#include "results/json.h"

#include <nlohmann/json.hpp>

#include "compare/formats.h"

namespace moetune {
namespace {

Json to_json(const Judgement& judgement) {
  Json json{{"verdict", std::string(to_string(judgement.finding))}};
  if (judgement.pairs > 0)
    json["ratio"] = judgement.ratio.value > 0 ? moetune::to_json(judgement.ratio) : Json(nullptr);
  json["margin"] = judgement.margin;
  json["noise"] = judgement.noise;
  json["pairs"] = judgement.pairs;
  json["only_warns"] = judgement.only_warns;
  json["reason"] = judgement.reason;
  return json;
}

Json config_json(const std::optional<PipelineConfig>& config) {
  return config ? moetune::to_json(*config)["stages"] : Json(nullptr);
}

Json to_json(const ComparedRow& row) {
  Json json{{"name", row.name},
            {"problem", moetune::to_json(row.problem)},
            {"impl", std::string(to_string(row.impl))},
            {"timing", moetune::to_json(row.timing)}};
  const Json judgement = to_json(row.judgement);
  for (const auto& [key, value] : judgement.items()) json[key] = value;
  json["runs"] = Json::array();
  for (const Pair& pair : row.pairs)
    json["runs"].push_back({{"base", moetune::to_json(pair.base)}, {"head", moetune::to_json(pair.head)}});
  json["base_stages"] = config_json(row.base_config);
  json["head_stages"] = config_json(row.head_config);
  json["history"] = row.drift ? to_json(*row.drift) : Json(nullptr);
  return json;
}

Json environments(const std::vector<Environment>& runs) {
  Json json = Json::array();
  for (const Environment& run : runs) json.push_back(moetune::to_json(run));
  return json;
}

}  // namespace

std::string gate_json(const GateResult& result, const FailOn& fail_on) {
  Json json{{"schema", "moe-tune/comparison"},
            {"schema_version", kSchemaVersion},
            {"summary", gate_summary(result, fail_on)},
            {"exit_code", gate_exit_code(result, fail_on)},
            {"rule",
             {{"margin", result.rule.margin},
              {"mean_margin", result.rule.mean_margin},
              {"noise", result.rule.noise},
              {"least_pairs", result.rule.least_pairs}}},
            {"mean", result.mean ? to_json(*result.mean) : Json(nullptr)},
            {"rows", Json::array()}};
  for (const ComparedRow& row : result.rows) json["rows"].push_back(to_json(row));
  json["base_runs"] = environments(result.base_runs);
  json["head_runs"] = environments(result.head_runs);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace moetune
