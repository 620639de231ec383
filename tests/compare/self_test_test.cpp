#include "compare/self_test.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(SelfTest, TheDefaultsCatchFivePerCentAndStaySilentWithout) {
  const auto results = self_test({}, 7, 50);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].rows, 500);
  EXPECT_GE(results[0].slower_rows, 495);
  EXPECT_EQ(results[0].failed_comparisons, results[0].comparisons);
  EXPECT_LE(results[1].slower_rows, 2);
  EXPECT_TRUE(results[0].as_expected && results[1].as_expected);
  EXPECT_TRUE(to_text(results).ends_with("PASS: the gate fires where it has to and only there\n")) << to_text(results);
}

TEST(SelfTest, SettingsThatCannotSeeFivePerCentFail) {
  for (const GateRule& rule : {GateRule{.margin = 0.05}, GateRule{.noise = 0.1}}) {
    const auto results = self_test({.rule = rule}, 7, 10);
    EXPECT_FALSE(results[0].as_expected);
    EXPECT_TRUE(results[1].as_expected);
    EXPECT_NE(to_text(results).find("FAIL: "), std::string::npos);
  }
  const auto few = self_test({}, 3, 10);
  EXPECT_EQ(few[0].slower_rows, 0) << "too few pairs only warn";
  EXPECT_FALSE(few[0].as_expected);
}

TEST(SelfTest, RunsThatVaryMoreThanThatFail) {
  EXPECT_FALSE(self_test({}, 7, 10, {.process = 0.05})[0].as_expected);
}

TEST(SelfTest, AGateThatAlarmsWithoutReasonFails) {
  const auto results = self_test({.rule = {.margin = 0, .mean_margin = 0, .least_pairs = 1}}, 4, 20);
  EXPECT_TRUE(results[0].as_expected);
  EXPECT_FALSE(results[1].as_expected) << "without a margin one interval in twenty misses what is true";
}

}  // namespace
}  // namespace moetune
