#include "compare/formats.h"

#include <algorithm>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "records.h"
#include "results/json_field.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

std::vector<double> times(double median_us) {
  return {median_us, 1.001 * median_us, median_us, 0.999 * median_us, median_us, 1.001 * median_us, median_us};
}

/// A row of every kind.
GateResult every_finding() {
  std::vector<Journal> base, head;
  const auto add = [](std::vector<Journal>& side, const std::vector<double>& medians, std::int64_t M) {
    side.push_back(journal_of(medians, M));
    // Labels would bring rows of one side together.
    for (auto& best : side.back().bests) best.record.problem.model = "model-" + std::to_string(M);
  };
  const struct {
    std::int64_t M;
    std::vector<double> base, head;
  } kRows[] = {{1, times(100), times(106)}, {2, times(100), times(90)},
               {3, times(100), times(100)}, {4, times(100), {104, 98, 109, 99, 105, 98, 103}},
               {5, times(100), {}},         {6, {}, times(100)},
               {7, times(100), times(100)}, {8, {100}, {130}}};
  for (const auto& row : kRows) {
    if (!row.base.empty()) add(base, row.base, row.M);
    if (!row.head.empty()) add(head, row.head, row.M);
  }
  for (auto& best : head[5].bests) best.record.timing.launch = LaunchMode::stream;  // M = 7
  add(base, times(100), 9);
  Journal wrong;
  wrong.runs.push_back({.id = "0", .environment = environment_of(0)});
  wrong.trials.push_back(failed_trial(Outcome::incorrect, 0, 2));
  wrong.trials[0].record.problem.M = 9;
  wrong.trials[0].record.reason = "3 elements are <NaN>, 5 % & more | \"all\"";
  head.push_back(wrong);
  GateResult result = compare_sides(side_of(base), side_of(head), {});
  // Environments of so many runs would fill the page.
  result.base_runs.resize(1);
  result.head_runs.resize(1);
  for (ComparedRow& row : result.rows)
    if (row.problem.M == 3) row.drift = judge_drift(times(95), 100, {});
  return result;
}

void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(MOETUNE_GOLDEN_DIR) / name;
  if (std::getenv("MOETUNE_UPDATE_GOLDEN")) write_text(path, text);
  EXPECT_EQ(text, read_text(path)) << "if the change is wanted, run this test with MOETUNE_UPDATE_GOLDEN=1";
}

TEST(GateFormats, Markdown) {
  expect_golden("gate.md", gate_markdown(every_finding(), {}));
}

TEST(GateFormats, Junit) {
  expect_golden("gate.xml", gate_junit(every_finding(), {}));
}

TEST(GateFormats, Annotations) {
  expect_golden("annotations.txt", gate_annotations(every_finding(), {}));
}

TEST(GateFormats, Outputs) {
  EXPECT_EQ(gate_outputs(compare_sides(side_of({journal_of(times(100))}), side_of({journal_of(times(106))}), {}), {}),
            "verdict=fail\nexit_code=1\nslower=1\nfaster=0\ninconclusive=0\n");
}

TEST(GateFormats, FailOnTurnsWarningsIntoFailures) {
  const GateResult result = every_finding();
  const FailOn all{.inconclusive = true, .warning = true};
  const auto count = [](const std::string& text, std::string_view part) {
    int found = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count(gate_annotations(result, all), "::warning"), 0);
  EXPECT_EQ(count(gate_annotations(result, {}), "::error"), 4);  // WRONG, SLOWER, MISSING, CHANGED
  EXPECT_EQ(count(gate_junit(result, all), "<skipped"), 0);
}

TEST(GateFormats, JsonHoldsEveryRowAndEveryRun) {
  const GateResult result = every_finding();
  const Json json = Json::parse(gate_json(result, {}));
  EXPECT_EQ(json["schema"], "moe-tune/comparison");
  EXPECT_EQ(json["exit_code"], 3);
  ASSERT_EQ(json["rows"].size(), 9u);
  const Json& slower =
      *std::find_if(json["rows"].begin(), json["rows"].end(), [](const Json& row) { return row["problem"]["M"] == 1; });
  EXPECT_EQ(slower["verdict"], "SLOWER");
  EXPECT_NEAR(slower["ratio"]["value"].get<double>(), 1.06, 1e-9);
  EXPECT_EQ(slower["runs"].size(), 7u);
  EXPECT_EQ(slower["runs"][0]["head"]["median_us"], 106);
  EXPECT_EQ(slower["head_stages"]["gate"]["engine"], "mma");
  EXPECT_TRUE(json["rows"][0]["base_stages"].is_null()) << "WRONG: head has no figures";
}

TEST(GateFormats, ALongTableIsCutAndSaysSo) {
  std::vector<Journal> base, head;
  for (std::int64_t M = 1; M <= 600; ++M) {
    base.push_back(journal_of({100}, M));
    head.push_back(journal_of({M == 7 ? 150.0 : 100.0}, M));
  }
  GateResult result = compare_sides(side_of(base), side_of(head), {.rule = {.margin = 0.04}});
  result.base_runs.resize(1);
  result.head_runs.resize(1);
  const std::string text = gate_markdown(result, {});
  EXPECT_LE(text.size(), 64u * 1024);
  EXPECT_NE(text.find("599 rows SAME, for which there is no room"), std::string::npos);
  EXPECT_NE(text.find("M:7/merged"), std::string::npos);
}

}  // namespace
}  // namespace moetune
