#include "compare/history.h"

#include "base/error.h"
#include "records.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

GateResult result_of(double head_us) {
  const std::vector<double> base(7, 100.0), head(7, head_us);
  return compare_sides(side_of({journal_of(base)}), side_of({journal_of(head)}), {});
}

TEST(History, ReadsBackWhatWasAppended) {
  TemporaryFolder folder;
  EXPECT_TRUE(read_history(folder / "none").runs.empty());
  const HistoryRun first = history_run(result_of(100)), second = history_run(result_of(101));
  append_to_history(folder / "kept", first);
  append_to_history(folder / "kept", second);
  EXPECT_EQ(read_history(folder / "kept").runs, (std::vector<HistoryRun>{first, second}));
  EXPECT_EQ(first.median_us.begin()->second, 100);
}

TEST(History, LinesThatCannotBeReadAreNamedAndTheRestCounts) {
  TemporaryFolder folder;
  append_to_history(folder.path(), history_run(result_of(100)));
  write_text(folder / "history.jsonl", read_text(folder / "history.jsonl") + "{\"schema\": \"moe-tune/hist");
  const History history = read_history(folder.path());
  EXPECT_EQ(history.runs.size(), 1u);
  ASSERT_EQ(history.warnings.size(), 1u);
  EXPECT_NE(history.warnings[0].find("history.jsonl:2"), std::string::npos) << history.warnings[0];
}

TEST(History, DriftIsJudgedForTheSameDeviceDriverAndCompilerOnly) {
  History history;
  for (int i = 0; i < 20; ++i) history.runs.push_back(history_run(result_of(100)));
  GateResult result = result_of(101.9);  // within the margin of the pairs
  result.rows[0].pairs.assign(7, {.base = sample_summary(104), .head = sample_summary(105)});
  judge_against(history, result);
  ASSERT_TRUE(result.rows[0].drift);
  EXPECT_EQ(result.rows[0].drift->finding, Finding::slower);
  EXPECT_EQ(result.rows[0].drift->pairs, 20);
  EXPECT_EQ(gate_exit_code(result, {}), 0) << "other days only warn";
  EXPECT_EQ(gate_exit_code(result, {.warning = true}), 1);

  for (HistoryRun& run : history.runs) run.driver = "12.8";
  judge_against(history, result);
  EXPECT_EQ(result.rows[0].drift->pairs, 0);
  EXPECT_EQ(result.rows[0].drift->finding, Finding::inconclusive);
}

TEST(History, OnlyTheLastTwentyCount) {
  History history;
  for (int i = 0; i < 50; ++i) history.runs.push_back(history_run(result_of(i < 30 ? 50 : 100)));
  GateResult result = result_of(100);
  judge_against(history, result);
  EXPECT_DOUBLE_EQ(result.rows[0].drift->ratio.value, 1);
}

}  // namespace
}  // namespace moetune
