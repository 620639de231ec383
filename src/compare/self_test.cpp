#include "compare/self_test.h"

#include <algorithm>
#include <array>
#include <random>

#include <fmt/format.h>

namespace moetune {
namespace {

constexpr int kRows = 10;
constexpr double kLeastCaught = 0.99, kMostAlarms = 0.005;

class Runs {
 public:
  Runs(const RunNoise& noise, std::uint64_t seed) : noise_(noise), random_(seed) {}

  /// A row of base and the same of head, with a drift that both share, pair by pair.
  std::array<SideRow, 2> rows(std::int64_t M, int pairs, double slowdown) {
    SideRow row{.problem = {.M = M, .K = 64, .N1 = 64, .N2 = 64, .E = 4, .topk = 2},
                .impl = Impl::merged,
                .timing = {},
                .device = {},
                .runs = {}};
    std::array<SideRow, 2> both{row, row};
    for (int pair = 0; pair < pairs; ++pair) {
      const double drift = noise_.drift * normal_(random_);
      for (const bool head : {false, true}) {
        const double factor = 1 + drift + noise_.process * normal_(random_) + noise_.within_pair * normal_(random_);
        both[head].runs.push_back({.run = static_cast<std::size_t>(pair),
                                   .best = measured(row, 100 * (head ? 1 + slowdown : 1) * std::max(factor, 0.1)),
                                   .failure = {}});
      }
    }
    return both;
  }

 private:
  static Best measured(const SideRow& row, double us) {
    Best best;
    best.problem = row.problem;
    best.config.impl = row.impl;
    best.verdict.passed = true;
    best.time = {.median_us = us,
                 .ci_low_us = us * 0.998,
                 .ci_high_us = us * 1.002,
                 .min_us = us * 0.98,
                 .p10_us = us * 0.99,
                 .p90_us = us * 1.02,
                 .n = 50,
                 .stopped_by = "synthetic"};
    return best;
  }

  RunNoise noise_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
};

PlantedSlowdown plant(double slowdown, const CompareOptions& options, int pairs, int comparisons, Runs& runs) {
  PlantedSlowdown planted{.slowdown = slowdown};
  for (int i = 0; i < comparisons; ++i) {
    Side base, head;
    base.runs.resize(static_cast<std::size_t>(pairs));
    head.runs = base.runs;
    for (int row = 0; row < kRows; ++row) {
      auto [of_base, of_head] = runs.rows(row + 1, pairs, slowdown);
      base.rows.push_back(std::move(of_base));
      head.rows.push_back(std::move(of_head));
    }
    const GateResult result = compare_sides(base, head, options);
    for (const ComparedRow& row : result.rows)
      if (row.judgement.finding == Finding::slower && !row.judgement.only_warns) ++planted.slower_rows;
    planted.rows += static_cast<int>(result.rows.size());
    if (gate_exit_code(result, {}) == 1) ++planted.failed_comparisons;
    ++planted.comparisons;
  }
  const double share = static_cast<double>(planted.slower_rows) / planted.rows;
  planted.as_expected = slowdown > 0 ? share >= kLeastCaught : share <= kMostAlarms;
  return planted;
}

}  // namespace

std::vector<PlantedSlowdown> self_test(const CompareOptions& options, int pairs, int comparisons, const RunNoise& noise,
                                       std::uint64_t seed) {
  Runs runs(noise, seed);
  return {plant(0.05, options, pairs, comparisons, runs), plant(0, options, pairs, comparisons, runs)};
}

std::string to_text(const std::vector<PlantedSlowdown>& results) {
  std::string text;
  bool all = true;
  for (const PlantedSlowdown& each : results) {
    all = all && each.as_expected;
    text +=
        fmt::format("planted +{:g} %: {} of {} rows are SLOWER ({} {:g} % expected), {} of {} comparisons fail\n",
                    each.slowdown * 100, each.slower_rows, each.rows, each.slowdown > 0 ? "at least" : "at most",
                    (each.slowdown > 0 ? kLeastCaught : kMostAlarms) * 100, each.failed_comparisons, each.comparisons);
  }
  return text + (all ? "PASS: the gate fires where it has to and only there\n"
                     : "FAIL: with these settings the gate cannot be relied on; give more --pairs (5 at least), or a "
                       "--margin below what has to be caught\n");
}

}  // namespace moetune
