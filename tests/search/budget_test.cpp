#include "search/budget.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace moetune {
namespace {

TEST(ParseBudget, ReadsEveryKind) {
  const struct {
    std::string_view text;
    Budget::Kind kind;
    double value;
  } kRows[] = {{"60s", Budget::Kind::seconds, 60},
               {"1.5s", Budget::Kind::seconds, 1.5},
               {"10m", Budget::Kind::seconds, 600},
               {"2h", Budget::Kind::seconds, 7200},
               {"500evals", Budget::Kind::evaluations, 500},
               {"20%", Budget::Kind::share, 0.2},
               {"100%", Budget::Kind::share, 1}};
  for (const auto& row : kRows) {
    const Budget budget = parse_budget(row.text);
    EXPECT_EQ(budget.kind, row.kind) << row.text;
    EXPECT_DOUBLE_EQ(budget.value, row.value) << row.text;
    EXPECT_EQ(parse_budget(to_string(budget)), budget) << row.text;
  }
}

TEST(ParseBudget, RejectsTheRestWithExamples) {
  for (const std::string text : {"", "60", "s", "evals", "%", "-5s", "0s", "0evals", "1.5evals", "120%", "60 s",
                                 "1e999s", "nans", "infs", "10x", "60S", "5s5s"}) {
    try {
      parse_budget(text);
      FAIL() << text;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("'" + text + "'"), std::string::npos) << message;
      EXPECT_NE(message.find("500evals"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

TEST(ShareOf, DividesWhatIsLeftByTheProblemsLeft) {
  EXPECT_DOUBLE_EQ(share_of(parse_budget("60s"), 20, 0, 4).value, 10);
  EXPECT_DOUBLE_EQ(share_of(parse_budget("60s"), 70, 0, 4).value, 0);
  EXPECT_DOUBLE_EQ(share_of(parse_budget("100evals"), 0, 40, 4).value, 15);
  EXPECT_DOUBLE_EQ(share_of(parse_budget("20%"), 1000, 1000, 7).value, 0.2);
}

TEST(Meter, CountsTrials) {
  Meter meter(3, std::nullopt, 1, [] { return 0.0; });
  EXPECT_EQ(meter.allowance(16).batch, 3u);
  EXPECT_EQ(meter.allowance(2).batch, 2u);
  meter.count_trial();
  meter.count_trial();
  EXPECT_FALSE(meter.is_spent());
  EXPECT_EQ(meter.allowance(16).left, 1u);
  EXPECT_DOUBLE_EQ(meter.allowance(16).spent, 2.0 / 3);
  meter.count_trial();
  EXPECT_TRUE(meter.is_spent());
  EXPECT_EQ(meter.allowance(16).batch, 0u);
}

TEST(Meter, EstimatesTrialsFromTheTimeTheyTook) {
  double now = 100;
  Meter meter(std::nullopt, 110, 0.5, [&] { return now; });
  EXPECT_EQ(meter.allowance(100).left, 20u);
  now = 104;
  meter.count_trial();
  meter.count_trial();
  EXPECT_EQ(meter.allowance(100).left, 3u);
  EXPECT_DOUBLE_EQ(meter.allowance(100).spent, 0.4);
  EXPECT_DOUBLE_EQ(meter.seconds_left().value(), 6);
  now = 111;
  EXPECT_TRUE(meter.is_spent());
  EXPECT_DOUBLE_EQ(meter.seconds_left().value(), 0);
  EXPECT_EQ(meter.allowance(100).left, 0u);
}

TEST(Meter, WithoutLimitsIsNeverSpent) {
  const Meter meter(std::nullopt, std::nullopt, 1, [] { return 1e9; });
  EXPECT_FALSE(meter.is_spent());
  EXPECT_FALSE(meter.seconds_left());
  EXPECT_EQ(meter.allowance(16).batch, 16u);
}

}  // namespace
}  // namespace moetune
