#include "results/transfer_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const Origin kOrigin{.file = "j.jsonl", .line = 3};

TEST(TransferJson, RoundTrips) {
  Transfers transfers{.problem = sample_problem(), .of = sample_bucket_transfer()};
  for (Transfer& each : transfers.of) {
    each.tuned_M = each.M;
    each.M = 16;
    each.served = false;  // is not known when these are measured
  }
  const Json json = to_json(transfers);
  EXPECT_EQ(read_transfers(Field(json, kOrigin)), transfers);
  EXPECT_EQ(json["transfers"][0].dump(),
            R"({"impl":"merged","tuned_M":24,"regret":0.0078125,"ci_low":-0.001953125,"ci_high":0.015625})");
}

TEST(TransferJson, AFaultIsNamedWithItsPlace) {
  const Json sound = to_json(Transfers{.problem = sample_problem(), .of = sample_bucket_transfer()});
  const auto read = [&](const char* key, const Json& value) {
    Json json = sound;
    json["transfers"][0][key] = value;
    return read_transfers(Field(json, kOrigin));
  };
  EXPECT_ERROR(read("impl", "fused"), "j.jsonl:3: 'transfers[0].impl'");
  EXPECT_ERROR(read("tuned_M", -1), "'transfers[0].tuned_M' must be 1 or more");
  EXPECT_ERROR(read("regret", "much"), "'transfers[0].regret' must be a number");
  EXPECT_ERROR(read("ci_low", nullptr), "'transfers[0].ci_low'");
  EXPECT_ERROR(read("regret", nullptr), "'transfers[0].reason' is missing");
}

}  // namespace
}  // namespace moetune
