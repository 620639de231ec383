#include "compare/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "records.h"

namespace moetune {
namespace {

std::vector<double> around(double median_us, int runs = 7) {
  std::vector<double> medians;
  for (int i = 0; i < runs; ++i) medians.push_back(median_us * (1 + 0.001 * (i % 3)));
  return medians;
}

GateResult compared(const Journal& base, const Journal& head, const CompareOptions& options = {}) {
  return compare_sides(side_of({base}), side_of({head}), options);
}

Finding only_finding(const GateResult& result) {
  EXPECT_EQ(result.rows.size(), 1u);
  return result.rows.at(0).judgement.finding;
}

TEST(Comparison, PairsRunsInOrder) {
  const GateResult result = compared(journal_of({1, 2, 3, 4, 5}), journal_of({10, 20, 30, 40, 50}));
  ASSERT_EQ(result.rows[0].pairs.size(), 5u);
  for (const Pair& pair : result.rows[0].pairs) EXPECT_DOUBLE_EQ(pair.head.median_us, 10 * pair.base.median_us);
  EXPECT_NEAR(result.rows[0].judgement.ratio.value, 10, 1e-9);
  EXPECT_EQ(result.rows[0].name, "qwen3-30b-a3b/zipf:1.5/M:16/merged");
  EXPECT_EQ(gate_exit_code(result, {}), 1);
}

TEST(Comparison, TheLatestRunsArePairedWhereOneSideHasMore) {
  const GateResult result = compared(journal_of({1, 100, 101}), journal_of({102}));
  ASSERT_EQ(result.rows[0].pairs.size(), 1u);
  EXPECT_EQ(result.rows[0].pairs[0].base.median_us, 101);
  EXPECT_NE(result.rows[0].judgement.reason.find("3 runs of base, 1 of head"), std::string::npos);
}

TEST(Comparison, OneRunEachWarnsAndFailsOnlyWhereAskedTo) {
  const GateResult result = compared(journal_of({100}), journal_of({130}));
  EXPECT_EQ(only_finding(result), Finding::slower);
  EXPECT_EQ(gate_exit_code(result, {}), 0);
  EXPECT_EQ(gate_exit_code(result, {.warning = true}), 1);
}

TEST(Comparison, RowsOfOneSideAreFindings) {
  Journal base = journal_of(around(100)), head = journal_of(around(100), 32);
  for (auto& best : base.bests) best.record.problem.model.clear();
  const GateResult result = compared(base, head);
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_EQ(result.rows[0].judgement.finding, Finding::missing);
  EXPECT_EQ(result.rows[0].problem.M, 16);
  EXPECT_EQ(result.rows[1].judgement.finding, Finding::added);
  EXPECT_EQ(gate_exit_code(result, {}), 5);
}

TEST(Comparison, RowsOfOneModelInSeveralShapesAreToldApart) {
  Journal split = journal_of(around(100));
  for (auto& best : split.bests) best.record.problem.N1 = 192;
  const Side side = side_of({journal_of(around(100)), split});
  const GateResult result = compare_sides(side, side, {});
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_NE(result.rows[0].name, result.rows[1].name);
  EXPECT_NE((result.rows[0].name + result.rows[1].name).find("/N1:192/"), std::string::npos);
}

TEST(Comparison, ARowThatIsNewDoesNotFailTheGate) {
  const Side head = side_of({journal_of(around(100)), journal_of(around(100), 32)});
  const GateResult result = compare_sides(side_of({journal_of(around(100))}), head, {});
  EXPECT_EQ(result.count(Finding::added), 1);
  EXPECT_EQ(gate_exit_code(result, {}), 0);
}

/// What the reason says where head's best is changed so.
template <class Change>
std::string changed_reason(Change change, const CompareOptions& options = {}) {
  Journal head = journal_of(around(100));
  for (auto& best : head.bests) change(best.record);
  const GateResult result = compared(journal_of(around(100)), head, options);
  EXPECT_EQ(only_finding(result), Finding::changed);
  EXPECT_EQ(gate_exit_code(result, {}), 5);
  return result.rows.at(0).judgement.reason;
}

TEST(Comparison, WhatWasMeasuredOtherwiseIsChanged) {
  EXPECT_EQ(changed_reason([](Best& best) { best.timing.cache = CacheState::warm; }), "cache cold -> warm");
  EXPECT_EQ(changed_reason([](Best& best) { best.timing.load = LoadState::replays; }), "load lasting -> replays");
  EXPECT_EQ(changed_reason([](Best& best) { best.problem.K = 4096; }), "K 2048 -> 4096");
  EXPECT_EQ(changed_reason([](Best& best) { best.data.fill = Fill::exact_integer; }), "fill random -> exact_integer");
}

TEST(Comparison, OtherDevicesDriversAndCompilersAreNotComparedUnlessAskedTo) {
  const auto result_with = [](auto change, bool across) {
    Journal head = journal_of(around(100));
    for (auto& run : head.runs) change(run.environment.device);
    return compared(journal_of(around(100)), head, {.rule = {}, .across = across});
  };
  const auto other_driver = [](DeviceInfo& device) { device.driver = "13.1"; };
  const GateResult refused = result_with(other_driver, false);
  EXPECT_EQ(only_finding(refused), Finding::changed);
  EXPECT_EQ(refused.rows[0].judgement.reason, "driver 13.0 -> 13.1");
  const GateResult asked = result_with(other_driver, true);
  EXPECT_EQ(only_finding(asked), Finding::same);
  EXPECT_NE(asked.rows[0].judgement.reason.find("driver 13.0 -> 13.1"), std::string::npos);
  const GateResult other_device = result_with([](DeviceInfo& device) { device.name = "NVIDIA H100"; }, false);
  EXPECT_EQ(other_device.rows.at(0).judgement.reason, "device NVIDIA H200 -> NVIDIA H100");
  EXPECT_EQ(gate_exit_code(other_device, {}), 5);
}

TEST(Comparison, WrongResultsComeBeforeAllElse) {
  Journal head = journal_of(around(200));
  head.bests.pop_back();
  head.trials.push_back(failed_trial(Outcome::incorrect, 6, 99));
  head.trials[0].record.problem.M = head.bests[0].record.problem.M;
  const GateResult result = compared(journal_of(around(100)), head);
  EXPECT_EQ(only_finding(result), Finding::wrong);
  EXPECT_EQ(result.rows[0].judgement.reason, "head: incorrect: a reason");
  EXPECT_EQ(gate_exit_code(result, {}), 3);
}

TEST(Comparison, ARowThatHeadCannotRunIsMissingWithTheReason) {
  Journal head = journal_of({});
  head.runs.push_back({.id = "0", .environment = environment_of(0)});
  head.trials.push_back(failed_trial(Outcome::out_of_memory, 0, 2));
  const GateResult result = compared(journal_of(around(100)), head);
  EXPECT_EQ(only_finding(result), Finding::missing);
  EXPECT_EQ(result.rows[0].judgement.reason, "head: out_of_memory: a reason");
}

TEST(Comparison, WhatBaseGotWrongIsNew) {
  Journal base = journal_of({});
  base.runs.push_back({.id = "0", .environment = environment_of(0)});
  base.trials.push_back(failed_trial(Outcome::incorrect, 0, 2));
  const GateResult result = compared(base, journal_of(around(100)));
  EXPECT_EQ(only_finding(result), Finding::added);
  EXPECT_EQ(gate_exit_code(result, {}), 5) << "nothing was compared";
}

TEST(Comparison, AnotherConfigIsSaid) {
  Journal head = journal_of(around(100));
  for (auto& best : head.bests) best.record.config.stages[Stage::gate].config.set("num_warps", 8);
  EXPECT_NE(compared(journal_of(around(100)), head).rows[0].judgement.reason.find("another config"), std::string::npos);
}

TEST(Comparison, TheWorstStandsFirst) {
  const Side base = side_of({journal_of(around(100), 1), journal_of(around(100), 2), journal_of(around(100), 3)});
  const Side head = side_of({journal_of(around(100), 1), journal_of(around(108), 2), journal_of(around(120), 3)});
  const GateResult result = compare_sides(base, head, {});
  EXPECT_EQ(result.rows[0].problem.M, 3);
  EXPECT_EQ(result.rows[1].problem.M, 2);
  EXPECT_EQ(result.rows[2].problem.M, 1);
  ASSERT_TRUE(result.mean);
  EXPECT_NEAR(result.mean->ratio.value, std::cbrt(1.08 * 1.2), 1e-9);
  EXPECT_EQ(gate_summary(result, {}).substr(0, 40), "FAIL: 3 rows: 2 SLOWER, 1 SAME; geometri");
}

TEST(Comparison, InconclusiveFailsOnlyWhereAskedTo) {
  const GateResult result = compared(journal_of({100, 110, 95, 104, 99}), journal_of({104, 98, 107, 99, 105}));
  EXPECT_EQ(only_finding(result), Finding::inconclusive);
  EXPECT_EQ(gate_exit_code(result, {}), 0);
  EXPECT_EQ(gate_exit_code(result, {.inconclusive = true}), 4);
}

}  // namespace
}  // namespace moetune
