#include "results/json.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const Origin kOrigin{.file = "file.json", .line = 0};

/// Through text, as files go.
template <class T>
T round_trip(const Json& written, T (*read)(const Field&)) {
  const Json json = parse_json(written.dump(), kOrigin);
  return read(Field(json, kOrigin));
}

TEST(Json, RecordsRoundTrip) {
  EXPECT_EQ(round_trip(to_json(sample_problem()), read_problem), sample_problem());
  EXPECT_EQ(round_trip(to_json(sample_pipeline(Impl::three_kernel)), read_pipeline_config),
            sample_pipeline(Impl::three_kernel));
  EXPECT_EQ(round_trip(to_json(sample_verdict()), read_verdict), sample_verdict());
  EXPECT_EQ(round_trip(to_json(sample_summary(0.1)), read_summary), sample_summary(0.1));
  Summary clocked = sample_summary(0.1);
  clocked.sm_clock_mhz = 1980;
  clocked.slowed_by = {"power limit", "temperature"};
  clocked.rounds_us = {101.5, 99.25};
  EXPECT_EQ(round_trip(to_json(clocked), read_summary), clocked);
  EXPECT_FALSE(to_json(sample_summary(0.1)).contains("sm_clock_mhz")) << "where it was not read";
  EXPECT_FALSE(to_json(sample_summary(0.1)).contains("slowed_by"));
  EXPECT_EQ(round_trip(to_json(sample_environment()), read_environment), sample_environment());
  EXPECT_EQ(round_trip(to_json(sample_trial(), "cuda:0"), read_trial), sample_trial());
  for (const Impl impl : kImpls)
    EXPECT_EQ(round_trip(to_json(sample_best(impl), "cuda:0"), read_best), sample_best(impl));
}

TEST(Json, RanksAreToldOnlyWhereThereAreSeveral) {
  Best best = sample_best();
  for (const char* const key : {"ep_ranks", "ep_rank"}) EXPECT_FALSE(to_json(best.problem).contains(key)) << key;
  for (const char* const key : {"local_slots", "local_tokens"})
    EXPECT_FALSE(to_json(best, "cuda:0").contains(key)) << key;
  best.problem.ep_ranks = 4, best.problem.ep_rank = 1;
  best.experts_hit = 20.5, best.local_slots = 31.5, best.local_tokens = 14.25;
  EXPECT_EQ(round_trip(to_json(best.problem), read_problem), best.problem);
  EXPECT_EQ(round_trip(to_json(best, "cuda:0"), read_best), best);
  EXPECT_EQ(best.load(), (Load{.experts_hit = 20.5, .slots = 31.5, .tokens = 14.25}));
  EXPECT_NE(to_json(best, "cuda:0")["repro"].get<std::string>().find("ep_ranks=4,ep_rank=1"), std::string::npos);
}

TEST(Json, EveryEnumeratorRoundTrips) {
  Problem problem = sample_problem();
  for (const DType dtype : kDTypes) {
    for (const Activation activation : kActivations) {
      for (const Bias bias : kBiases) {
        problem.dtype = dtype, problem.activation = activation, problem.bias = bias;
        EXPECT_EQ(round_trip(to_json(problem), read_problem), problem);
      }
    }
  }
  Trial trial = sample_trial();
  for (const Outcome outcome : {Outcome::invalid, Outcome::compile_error, Outcome::out_of_memory, Outcome::launch_error,
                                Outcome::runtime_error, Outcome::timeout, Outcome::incorrect, Outcome::skipped}) {
    trial.outcome = outcome;
    trial.reason = "a \"quoted\" reason";
    trial.stage.reset(), trial.time.reset(), trial.verdict.reset();
    EXPECT_EQ(round_trip(to_json(trial, "cpu"), read_trial), trial);
  }
}

TEST(Json, RecordsFromBeforeThereWereReplaysAreOfLastingLoad) {
  Json json = to_json(TimingOptions{.load = LoadState::replays});
  EXPECT_EQ(json["load"], "replays");
  EXPECT_EQ(round_trip(json, read_timing), TimingOptions{.load = LoadState::replays});
  json.erase("load");
  EXPECT_EQ(round_trip(json, read_timing), TimingOptions{});
  json["load"] = "heavy";
  EXPECT_ERROR(read_timing(Field(json, kOrigin)), "unknown load 'heavy'; known: lasting, replays");
}

TEST(Json, NonFiniteVerdictsSurvive) {
  Verdict verdict = sample_verdict();
  verdict.relative_l2 = NAN;
  verdict.worst_row = INFINITY;
  const Verdict read = round_trip(to_json(verdict), read_verdict);
  EXPECT_TRUE(std::isnan(read.relative_l2));
  EXPECT_EQ(read.worst_row, INFINITY);
}

TEST(Json, NonFiniteTimesAreRefused) {
  Json json = to_json(sample_best(), "cpu");
  json["time"]["median_us"] = "nan";
  EXPECT_ERROR(read_best(Field(json, kOrigin)), "file.json: 'time.median_us' must be a finite number");
  json["time"]["median_us"] = 0;
  EXPECT_ERROR(read_best(Field(json, kOrigin)), "'time.median_us' must be above 0");
}

TEST(Json, ATrialIsOfAStageOfItsConfig) {
  Json json = to_json(sample_trial(), "cuda:0");
  json["stage"] = "gemm1";
  EXPECT_ERROR(read_trial(Field(json, kOrigin)), "'stage' must be one that 'stages' has");
}

TEST(Json, KeysStandInTheKernelsOrder) {
  EXPECT_EQ(
      to_json(sample_config(64)).dump(),
      R"({"BLOCK_SIZE_M":64,"BLOCK_SIZE_N":64,"BLOCK_SIZE_K":128,"GROUP_SIZE_M":8,"num_warps":4,"num_stages":3})");
}

TEST(Json, EveryMissingFieldIsNamed) {
  const Json whole = to_json(sample_best(), "cpu");
  for (const auto& [key, value] : whole.items()) {
    if (key == "repro" || key == "roofline_fraction" || key == "versus_three_kernel" || key == "burst" ||
        key == "choice")
      continue;  // not read, or optional
    Json cut = whole;
    cut.erase(key);
    EXPECT_ERROR(read_best(Field(cut, kOrigin)), "'" + key + "' is missing");
  }
}

TEST(Json, RecordsFromBeforeThereWereBurstsAreRead) {
  Json json = to_json(sample_best(), "cpu");
  json.erase("burst");
  Best expected = sample_best();
  expected.burst.reset();
  EXPECT_EQ(read_best(Field(json, kOrigin)), expected);
  EXPECT_EQ(round_trip(to_json(expected, "cpu"), read_best), expected);
}

TEST(Json, BadValuesAreNamed) {
  Json json = to_json(sample_best(), "cpu");
  json["stages"].erase("gate");
  EXPECT_ERROR(read_best(Field(json, kOrigin)), "'stages.gate' is missing");
  json = to_json(sample_best(), "cpu");
  json["problem"]["topk"] = 4000;
  EXPECT_ERROR(read_best(Field(json, kOrigin)), "topk");
  json["problem"]["topk"] = "8";
  EXPECT_ERROR(read_best(Field(json, kOrigin)), "'problem.topk' must be an integer");
  json = to_json(sample_best(), "cpu");
  json["problem"]["dtype"] = "fp8";
  EXPECT_ERROR(read_best(Field(json, kOrigin)), "'problem.dtype'");
}

TEST(Json, SchemaVersions) {
  const auto check = [](const char* version) {
    const Json json{{"schema", "moe-tune/x"}, {"schema_version", version}};
    check_schema(Field(json, kOrigin), "moe-tune/x");
  };
  EXPECT_NO_THROW(check("1.0"));
  EXPECT_NO_THROW(check("1.7"));
  EXPECT_ERROR((check("2.0"), 0), "this moe-tune reads 1.x");
  EXPECT_ERROR((check("10"), 0), "is 10;");
}

}  // namespace
}  // namespace moetune
