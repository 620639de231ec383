// The gate on what real processes did: medians of runs of one binary, one after the other. Each file in noise/ has a
// row for each benchmark and says where it comes from.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "compare/gate.h"
#include "pairs.h"
#include "results/json_field.h"

namespace moetune {
namespace {

struct Shares {
  int trials = 0, slower = 0;
  double slower_share() const { return static_cast<double>(slower) / trials; }
};

/// Every stretch of 14 neighbouring runs as 7 pairs, in the order base head, head base, ….
Shares judge_all(const std::vector<double>& medians_us, double slowdown, int pairs) {
  Shares shares;
  for (std::size_t first = 0; first + 2 * pairs <= medians_us.size(); ++first) {
    std::vector<double> base, head;
    for (int i = 0; i < pairs; ++i) {
      const double one = medians_us[first + 2 * i], next = medians_us[first + 2 * i + 1];
      base.push_back(i % 2 == 0 ? one : next);
      head.push_back((1 + slowdown) * (i % 2 == 0 ? next : one));
    }
    ++shares.trials;
    shares.slower += judge(make_pairs(base, head), {}).finding == Finding::slower;
  }
  return shares;
}

class RecordedNoise : public testing::TestWithParam<std::string> {};

TEST_P(RecordedNoise, PlantedSlowdownsAreCaughtAndNothingElse) {
  const Json file = Json::parse(read_file(std::filesystem::path(MOETUNE_NOISE_DIR) / GetParam()));
  const double slowdown = file.at("caught").get<double>();
  Shares planted, clean;
  for (const auto& [name, medians] : file.at("medians_us").items()) {
    const auto medians_us = medians.get<std::vector<double>>();
    for (auto [shares, effect] : {std::pair(&planted, slowdown), std::pair(&clean, 0.0)}) {
      const Shares row = judge_all(medians_us, effect, 7);
      shares->trials += row.trials;
      shares->slower += row.slower;
    }
  }
  EXPECT_GE(planted.trials, 100);
  EXPECT_GE(planted.slower_share(), 0.99) << slowdown;
  EXPECT_LE(clean.slower_share(), 0.005);
}

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(MOETUNE_NOISE_DIR))
    if (entry.path().extension() == ".json") names.push_back(entry.path().filename().string());
  return names;
}

std::string case_name(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param.substr(0, file.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, RecordedNoise, testing::ValuesIn(files()), case_name);

}  // namespace
}  // namespace moetune
