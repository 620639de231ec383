#include "chart/axis.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> texts;
  for (const Tick& tick : ticks) texts.push_back(tick.label);
  return texts;
}

using Labels = std::vector<std::string>;

TEST(Axis, LinearTicksAreRoundAndEncloseTheValues) {
  const Axis axis = linear_axis("x", 0.987, 1.113);
  EXPECT_EQ(labels(axis.ticks), (Labels{"0.95", "1.00", "1.05", "1.10", "1.15"}));
  EXPECT_DOUBLE_EQ(axis.low, 0.95);
  EXPECT_NEAR(axis.position(0.95), 0, 1e-9);
  EXPECT_NEAR(axis.position(1.05), 0.5, 1e-9);
  EXPECT_EQ(labels(linear_axis("x", 0, 104).ticks), (Labels{"0", "20", "40", "60", "80", "100", "120"}));
}

TEST(Axis, AnEmptyRangeHasTwoTicksAtLeast) {
  for (const double value : {0.0, 1.0, -3.0, 1e6}) {
    const Axis axis = linear_axis("x", value, value);
    EXPECT_GE(axis.ticks.size(), 2u) << value;
    EXPECT_LT(axis.low, axis.high);
  }
}

TEST(Axis, LogarithmicTicksArePowersOfTenOrTwo) {
  EXPECT_EQ(labels(log_axis("x", 0.7, 2000).ticks), (Labels{"1", "10", "100", "1000"}));
  EXPECT_EQ(labels(log_axis("x", 1, 9).ticks), (Labels{"1", "2", "4", "8"}));
  const Axis axis = log_axis("x", 1, 100);
  EXPECT_DOUBLE_EQ(axis.position(10), 0.5);
}

TEST(Axis, TicksAtGivenValuesLeaveRoomAtTheEnds) {
  const Axis axis = log_axis_at("M", {1, 16, 256});
  EXPECT_EQ(labels(axis.ticks), (Labels{"1", "16", "256"}));
  EXPECT_GT(axis.position(1), 0);
  EXPECT_LT(axis.position(256), 1);
  EXPECT_DOUBLE_EQ(axis.position(16), 0.5);
  EXPECT_DOUBLE_EQ(log_axis_at("M", {64}).position(64), 0.5);
}

TEST(Axis, LargeCountsAreShort) {
  EXPECT_EQ(count_label(1), "1");
  EXPECT_EQ(count_label(4096), "4096");
  EXPECT_EQ(count_label(16384), "16k");
  EXPECT_EQ(count_label(16385), "16385");
}

TEST(Axis, LabelsWithoutRoomAreLeftOut) {
  const Axis axis = category_axis("x", {"1000", "2000", "3000", "4000"});
  EXPECT_EQ(ticks_with_room(axis, 400).size(), 4u);
  EXPECT_EQ(labels(ticks_with_room(axis, 80)), (Labels{"1000", "3000"}));
}

}  // namespace
}  // namespace moetune
