#include "problem/model.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/resources.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const std::vector<Model>& presets() {
  static const std::vector<Model> models =
      parse_models(resource("search_spaces/models.json"), "search_spaces/models.json");
  return models;
}

constexpr std::string_view kTiny =
    R"({"id": "tiny", "name": "Tiny", "K": 64, "N1": 96, "E": 4, "topk": 2, "verified": true)";

std::string document(std::string_view entry) {
  return "{\"models\": [" + std::string(entry) + "]}";
}
std::string tiny_with(std::string_view more) {
  return document(std::string(kTiny) + std::string(more) + "}");
}

TEST(Presets, AllCanBeComputed) {
  EXPECT_EQ(presets().size(), 34u);
  for (const Model& model : presets()) {
    EXPECT_NO_THROW(validate(shard_problem(model, 1, 1))) << model.id;
    EXPECT_EQ(model.N2, model.K) << model.id;
  }
}

TEST(Presets, HoldWhatTheModelsHave) {
  const Model& qwen = find_model(presets(), "qwen3-30b-a3b");
  EXPECT_EQ(qwen.name, "Qwen3-30B-A3B");
  EXPECT_EQ(qwen.K, 2048);
  EXPECT_EQ(qwen.N1, 1536);
  EXPECT_EQ(qwen.E, 128);
  EXPECT_EQ(qwen.topk, 8);
  EXPECT_TRUE(qwen.verified);
  const Model& gpt_oss = find_model(presets(), "gpt-oss-120b");
  EXPECT_EQ(gpt_oss.activation, Activation::swigluoai);
  EXPECT_EQ(gpt_oss.bias, Bias::both);
  EXPECT_EQ(find_model(presets(), "gemma-4-26b-a4b").activation, Activation::gelu_tanh);
  EXPECT_EQ(find_model(presets(), "deepseek-v3").shared_experts, 1);
  EXPECT_FALSE(find_model(presets(), "dbrx").verified);
  EXPECT_NE(find_model(presets(), "deepseek-v4-pro").note.find("10"), std::string::npos);
}

TEST(Models, AreReadWithDefaults) {
  const Model model = parse_models(tiny_with(""), "m.json").at(0);
  EXPECT_EQ(model.N2, 64);
  EXPECT_EQ(model.activation, Activation::silu);
  EXPECT_EQ(model.bias, Bias::none);
  EXPECT_EQ(model.shared_experts, 0);
  EXPECT_EQ(parse_models(tiny_with(R"(, "N2": 32)"), "m.json").at(0).N2, 32);
}

TEST(Models, NameThePlaceAndTheEntry) {
  EXPECT_ERROR(parse_models("{", "m.json"), "m.json: not valid JSON");
  EXPECT_ERROR(parse_models("[]", "m.json"), "m.json: expected an object");
  EXPECT_ERROR(parse_models(R"({"models": [], "model": 1})", "m.json"), "unknown key 'model'");
  EXPECT_ERROR(parse_models(document("7"), "m.json"), "m.json: model 1 is no object");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "N3": 8)"), "m.json"), "model 1 ('tiny'): unknown key 'N3'");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "N2": 1.5)"), "m.json"), "'N2' must be an integer");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "N2": "8")"), "m.json"), "'N2' must be an integer");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "N2": 1e30)"), "m.json"), "'N2' must be an integer");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "N2": 12)"), "m.json"), "N2 = 12 is no multiple of 8");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "activation": "relu")"), "m.json"), "('tiny'): unknown activation 'relu'");
  EXPECT_ERROR(parse_models(tiny_with(R"(, "note": 1)"), "m.json"), "'note' must be a string");
  EXPECT_ERROR(parse_models(document(R"({"id": "x", "name": "X", "K": 8})"), "m.json"), "('x'): 'N1' is missing");
  EXPECT_ERROR(parse_models(document(std::string(kTiny) + "}," + std::string(kTiny) + "}"), "m.json"),
               "'tiny' is taken");
}

TEST(FindModel, SuggestsNearIds) {
  EXPECT_EQ(find_model(presets(), "mixtral-8x7b").K, 4096);
  EXPECT_ERROR(find_model(presets(), "qwen3-30b"), "did you mean qwen3-30b-a3b");
  EXPECT_ERROR(find_model(presets(), "Mixtral-8x7B"), "mixtral-8x7b");
  EXPECT_ERROR(find_model(presets(), "deepseek-v2"), "deepseek-v2-lite");
  EXPECT_ERROR(find_model(presets(), "zzzzzzzzzzzz"), "list models");
}

TEST(Shard, DividesTheInnerSizeByTpAndTheExpertsByEp) {
  const Problem whole = shard_problem(find_model(presets(), "mixtral-8x7b"), 1, 1);
  EXPECT_EQ(whole, (Problem{.M = 1, .K = 4096, .N1 = 28672, .N2 = 4096, .E = 8, .topk = 2, .model = "mixtral-8x7b"}));
  const Problem shard = shard_problem(find_model(presets(), "mixtral-8x7b"), 8, 2);
  EXPECT_EQ(shard.N1, 3584);
  EXPECT_EQ(shard.inner(), 1792);
  EXPECT_EQ(shard.K, 4096);
  EXPECT_EQ(shard.N2, 4096);
  EXPECT_EQ(shard.E, 4);
}

TEST(Shard, RejectsWhatDoesNotDivide) {
  const Model& model = find_model(presets(), "qwen3-30b-a3b");
  EXPECT_ERROR(shard_problem(model, 0, 1), "tp = 0 is not positive");
  EXPECT_ERROR(shard_problem(model, 1, -1), "ep = -1 is not positive");
  EXPECT_ERROR(shard_problem(model, 5, 1), "inner size 768 cannot be split over tp = 5");
  EXPECT_ERROR(shard_problem(model, 64, 1), "multiples of 8");  // 12 each
  EXPECT_ERROR(shard_problem(model, 1, 3), "128 experts cannot be split evenly over ep = 3");
  EXPECT_ERROR(shard_problem(model, 1, 32), "fewer than topk = 8: use ep of at most 16");
  EXPECT_ERROR(shard_problem(model, 1, 8, 8), "ep_rank = 8 is none of 8 ranks: use 0 to 7");
  EXPECT_ERROR(shard_problem(model, 1, 8, -1), "use 0 to 7");
}

TEST(Shard, OfARankChoosesAmongTheExpertsOfAll) {
  const Model& model = find_model(presets(), "qwen3-30b-a3b");
  const Problem rank = shard_problem(model, 1, 32, 5);
  EXPECT_EQ(rank.E, 4);
  EXPECT_EQ(rank.ep_ranks, 32);
  EXPECT_EQ(rank.ep_rank, 5);
  EXPECT_EQ(rank.global_experts(), 128);
  EXPECT_NO_THROW(validate(rank));
  EXPECT_EQ(shard_problem(model, 1, 8).ep_ranks, 1);
}

}  // namespace
}  // namespace moetune
