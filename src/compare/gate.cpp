#include "compare/gate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <stdexcept>

#include <fmt/format.h>

namespace moetune {
namespace {

/// How far the medians of two runs of one binary lie apart, as a standard deviation of one of them: 0.6 % from process
/// to process and 1 % of drift. Only for single pairs; more of them show it themselves.
constexpr double kRunToRun = 0.012;
constexpr double kClocksDiffer = 0.02;
/// Noise beyond which nothing is called the same: being within 50 % of each other is no news.
constexpr double kMostNoise = 0.1;
constexpr int kResamples = 2000;
constexpr std::uint64_t kBootstrapSeed = 20240301;
constexpr std::size_t kLeastHistory = 5;

/// The root mean square.
double rms(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

Finding classify(const Ratio& ratio, double margin) {
  if (ratio.low > 1 + margin) return Finding::slower;
  if (ratio.high < 1 - margin) return Finding::faster;
  if (ratio.low >= 1 - margin && ratio.high <= 1 + margin) return Finding::same;
  return Finding::inconclusive;
}

/// Half the interval of a median, as a logarithm.
double half_width(const Summary& time) {
  return std::log(time.ci_high_us / time.ci_low_us) / 2;
}

Ratio around(double log_ratio, double half) {
  return {.value = std::exp(log_ratio), .low = std::exp(log_ratio - half), .high = std::exp(log_ratio + half)};
}

double log_ratio(const Pair& pair) {
  const double log = std::log(pair.head.median_us / pair.base.median_us);
  if (!std::isfinite(log)) throw std::invalid_argument("a comparison needs positive times");
  return log;
}

struct Times {
  std::vector<double> base_us, head_us;
};

Times medians(std::span<const Pair> pairs) {
  Times times;
  for (const Pair& pair : pairs) {
    times.base_us.push_back(pair.base.median_us);
    times.head_us.push_back(pair.head.median_us);
  }
  return times;
}

/// Margin, noise and finding from the ratio of `times`.
Judgement conclude(const Ratio& ratio, const Times& times, double margin, const GateRule& rule) {
  Judgement judgement{.ratio = ratio,
                      .noise = std::max(rule.noise, noise_floor(times.base_us, times.head_us)),
                      .pairs = static_cast<int>(times.base_us.size()),
                      .reason = {}};
  judgement.only_warns = judgement.pairs < rule.least_pairs;
  judgement.margin = std::max(judgement.only_warns ? 2 * margin : margin, judgement.noise);
  judgement.finding = classify(ratio, judgement.margin);
  if ((judgement.finding == Finding::same || judgement.finding == Finding::inconclusive) &&
      judgement.noise > kMostNoise) {
    judgement.finding = Finding::inconclusive;
    judgement.reason = fmt::format("runs differ by {:.0f} %: a quieter machine is needed", 100 * judgement.noise);
  }
  return judgement;
}

/// Times in cycles, where all runs have a clock.
std::vector<Pair> in_cycles(std::span<const Pair> pairs) {
  std::vector<Pair> cycles(pairs.begin(), pairs.end());
  for (Pair& pair : cycles) {
    for (Summary* side : {&pair.base, &pair.head}) {
      if (!(side->sm_clock_mhz > 0)) return {};
      side->median_us *= side->sm_clock_mhz;
      side->ci_low_us *= side->sm_clock_mhz;
      side->ci_high_us *= side->sm_clock_mhz;
    }
  }
  return cycles;
}

/// The ratio of a row, head over base.
Ratio ratio_of(std::span<const Pair> pairs) {
  if (pairs.empty()) throw std::invalid_argument("a comparison needs a pair of runs");
  if (pairs.size() > 1) {
    const Times times = medians(pairs);
    return speedup(times.base_us, times.head_us);
  }
  const double runs = 1.96 * std::sqrt(2.0) * kRunToRun;
  return around(log_ratio(pairs[0]), std::hypot(half_width(pairs[0].base), half_width(pairs[0].head), runs));
}

void confirm_in_cycles(Judgement& judgement, std::span<const Pair> pairs) {
  const std::vector<Pair> cycles = in_cycles(pairs);
  if (cycles.empty()) {
    judgement.reason = "clocks were not recorded, so not confirmed in cycles";
    return;
  }
  double log_clocks = 0;  // head over base
  for (const Pair& pair : pairs) log_clocks += std::log(pair.head.sm_clock_mhz / pair.base.sm_clock_mhz);
  const double clocks = std::exp(log_clocks / static_cast<double>(pairs.size()));
  if (std::abs(clocks - 1) <= kClocksDiffer) return;
  const Finding finding = classify(ratio_of(cycles), judgement.margin);
  judgement.reason = fmt::format("head ran at {:.1f} % of base's clock", 100 * clocks);
  if (finding != Finding::same) return;
  judgement.finding = Finding::inconclusive;
  judgement.reason += ", and takes the same number of cycles";
}

double quantile(std::vector<double>& values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

/// Widens `ratio` to the percentiles of means over resampled rows of resampled pairs. A pair is resampled for all rows
/// at once: what a process does to one of its rows it tends to do to all.
void widen_by_rows(Ratio& ratio, const std::vector<std::vector<double>>& logs) {
  const std::size_t rows = logs.size(), pairs = logs[0].size();
  std::mt19937_64 random(kBootstrapSeed);
  std::vector<double> means(kResamples);
  std::vector<std::size_t> drawn(pairs);
  for (double& mean : means) {
    for (std::size_t& pair : drawn) pair = random() % pairs;
    double sum = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::vector<double>& row = logs[random() % rows];
      for (const std::size_t pair : drawn) sum += row[pair];
    }
    mean = sum / static_cast<double>(rows * pairs);
  }
  ratio.low = std::min(ratio.low, std::exp(quantile(means, 0.025)));
  ratio.high = std::max(ratio.high, std::exp(quantile(means, 0.975)));
}

}  // namespace

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::wrong:
      return "WRONG";
    case Finding::slower:
      return "SLOWER";
    case Finding::missing:
      return "MISSING";
    case Finding::changed:
      return "CHANGED";
    case Finding::inconclusive:
      return "INCONCLUSIVE";
    case Finding::faster:
      return "FASTER";
    case Finding::same:
      return "SAME";
    case Finding::added:
      return "ADDED";
  }
  return "?";
}

double noise_floor(std::span<const double> base_us, std::span<const double> head_us) {
  constexpr std::size_t kLeastRuns = 5;
  const std::size_t pairs = std::min(base_us.size(), head_us.size());
  if (pairs < kLeastRuns) return 0;
  std::vector<double> logs;
  for (std::size_t i = 1; i + 1 < base_us.size(); i += 2) logs.push_back(std::log(base_us[i + 1] / base_us[i]));
  for (std::size_t i = 0; i + 1 < head_us.size(); i += 2) logs.push_back(std::log(head_us[i + 1] / head_us[i]));
  return std::expm1(1.96 * rms(logs) / std::sqrt(static_cast<double>(pairs)));
}

Judgement judge(std::span<const Pair> pairs, const GateRule& rule) {
  Judgement judgement = conclude(ratio_of(pairs), medians(pairs), rule.margin, rule);
  if (judgement.finding == Finding::slower) confirm_in_cycles(judgement, pairs);
  return judgement;
}

Judgement judge_mean(std::span<const std::vector<Pair>> rows, const GateRule& rule) {
  std::size_t pairs = rows.empty() ? 0 : rows[0].size();
  for (const std::vector<Pair>& row : rows) pairs = std::min(pairs, row.size());
  if (pairs == 0) throw std::invalid_argument("a mean needs rows that have a pair of runs");

  const auto count = static_cast<double>(rows.size());
  std::vector<std::vector<double>> logs;
  Times means{.base_us = std::vector<double>(pairs, 0.0), .head_us = std::vector<double>(pairs, 0.0)};
  double squares = 0;  // of the half-widths inside single runs
  for (const std::vector<Pair>& row : rows) {
    std::vector<double>& row_logs = logs.emplace_back();
    for (std::size_t i = 0; i < pairs; ++i) {
      row_logs.push_back(log_ratio(row[i]));
      means.base_us[i] += std::log(row[i].base.median_us) / count;
      means.head_us[i] += std::log(row[i].head.median_us) / count;
    }
    squares += std::pow(half_width(row[0].base), 2) + std::pow(half_width(row[0].head), 2);
  }
  for (std::vector<double>* side : {&means.base_us, &means.head_us})
    for (double& mean : *side) mean = std::exp(mean);

  Ratio ratio;
  if (pairs == 1)
    ratio = around(std::log(means.head_us[0] / means.base_us[0]),
                   std::hypot(std::sqrt(squares) / count, 1.96 * std::sqrt(2.0) * kRunToRun));
  else
    ratio = speedup(means.base_us, means.head_us);
  widen_by_rows(ratio, logs);
  return conclude(ratio, means, rule.mean_margin, rule);
}

Judgement judge_drift(std::span<const double> earlier_us, double now_us, const GateRule& rule) {
  Judgement judgement;
  judgement.pairs = static_cast<int>(earlier_us.size());
  judgement.only_warns = true;
  if (earlier_us.size() < kLeastHistory) {
    judgement.reason = fmt::format("{} earlier runs, {} are needed", earlier_us.size(), kLeastHistory);
    return judgement;
  }
  // From one run to the next, so that drift itself does not count as noise, nor one change of level. 0.6745 standard
  // deviations is where half of a normal sample lies beyond.
  std::vector<double> steps;
  for (std::size_t i = 1; i < earlier_us.size(); ++i)
    steps.push_back(std::abs(std::log(earlier_us[i] / earlier_us[i - 1])));
  const double deviation = median(steps) / 0.6745 / std::sqrt(2.0);
  // The median of n normal values has pi/2 / n of the variance of one.
  const double variances = 1 + 1.5708 / static_cast<double>(earlier_us.size());
  judgement.ratio =
      around(std::log(now_us / median(earlier_us)), student_t(steps.size()) * deviation * std::sqrt(variances));
  judgement.noise = std::max(rule.noise, std::expm1(1.96 * deviation));
  judgement.margin = std::max(rule.margin, rule.noise);
  judgement.finding = classify(judgement.ratio, judgement.margin);
  return judgement;
}

}  // namespace moetune
