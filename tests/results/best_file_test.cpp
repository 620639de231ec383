#include "results/best_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "results/json_field.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(BestFile, RoundTrips) {
  TemporaryFolder folder;
  for (const Impl impl : kImpls) {
    const BestFile file{.best = sample_best(impl), .environment = sample_environment()};
    EXPECT_EQ(read_best_file(write_best_file(folder / "best", file)), file);
  }
}

TEST(BestFile, HoldsHowTheConfigDoesAtOtherM) {
  BestFile file{.best = sample_best(), .environment = sample_environment()};
  EXPECT_FALSE(Json::parse(to_text(file)).contains("bucket_transfer")) << "where it was not measured";
  file.best.bucket_transfer = sample_bucket_transfer();
  EXPECT_EQ(parse_best_file(to_text(file), "b.json"), file);
  Json json = Json::parse(to_text(file));
  EXPECT_EQ(json["bucket_transfer"][0].dump(),
            R"({"M":24,"regret":0.0078125,"ci_low":-0.001953125,"ci_high":0.015625,"served":true})");
  EXPECT_EQ(json["bucket_transfer"][1].dump(),
            R"({"M":96,"regret":null,"reason":"invalid: too large","served":false})");
  json["bucket_transfer"][0]["M"] = 0;
  EXPECT_ERROR(parse_best_file(json.dump(), "b.json"), "'bucket_transfer[0].M' must be 1 or more");
}

TEST(BestFile, HoldsWhatAServingEngineNeeds) {
  const Json json = Json::parse(to_text({.best = sample_best(), .environment = sample_environment()}));
  const Json& gate = json["stages"]["gate"]["config"];
  for (const char* key : {"BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K", "GROUP_SIZE_M", "num_warps", "num_stages"})
    EXPECT_TRUE(gate.contains(key)) << key;
  EXPECT_NE(gate["BLOCK_SIZE_M"], json["stages"]["final"]["config"]["BLOCK_SIZE_M"]) << "the stages have a config each";
  EXPECT_EQ(json["schema_version"], "1.7");
  EXPECT_EQ(json["environment"]["device"]["name"], "NVIDIA H200");
  EXPECT_EQ(json["verdict"]["passed"], true);
  EXPECT_EQ(json["roofline_fraction"], 0.75);
  EXPECT_NE(json["repro"].get<std::string>().find("moe-tune bench --device cuda:0"), std::string::npos);
}

TEST(BestFile, NamesDifferWhereProblemsDo) {
  std::vector<Problem> problems(14, sample_problem());
  problems[1].M = 17;
  problems[2].model = "";
  problems[3].dtype = DType::fp16;
  problems[4].bias = Bias::both;
  problems[5].weight_on_input = true;
  problems[6].routing = {.kind = RoutingSpec::Kind::file, .zipf_s = 1, .path = "/some/ids.npy"};
  problems[7].routing = {.kind = RoutingSpec::Kind::file, .zipf_s = 1, .path = "/other/ids.npy"};
  problems[8].activation = Activation::gelu;
  problems[9].routing = {};
  problems[10].N2 = 4096;
  problems[11].model = "../../etc/passwd";
  problems[12].ep_ranks = 4;
  problems[13].ep_ranks = 4, problems[13].ep_rank = 1;
  std::vector<std::string> names;
  for (const Problem& problem : problems) {
    for (const Impl impl : kImpls) names.push_back(best_file_name(problem, impl));
  }
  for (const std::string& name : names) EXPECT_EQ(name.find('/'), std::string::npos) << name;
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(BestFile, RefusesOtherFiles) {
  EXPECT_ERROR(parse_best_file("", "b.json"), "b.json:1: no valid JSON");
  EXPECT_ERROR(parse_best_file("{}", "b.json"), "b.json: 'schema' is missing");
  EXPECT_ERROR(parse_best_file(R"({"schema": "moe-tune/journal", "schema_version": "1.0"})", "b.json"),
               "b.json: 'schema' is 'moe-tune/journal'");
  const std::string whole = to_text({.best = sample_best(), .environment = sample_environment()});
  for (std::size_t size = 0; size + 2 < whole.size(); size += 13)
    EXPECT_THROW(parse_best_file(whole.substr(0, size), "b.json"), Error);
}

}  // namespace
}  // namespace moetune
