#include "measure/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>

namespace moetune {
namespace {

constexpr int kResamples = 2000;
constexpr std::uint64_t kBootstrapSeed = 20240229;

/// Between the two nearest order statistics.
double quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// How many samples the interval of the median leaves out at either end: the largest s for which a fair coin, thrown n
/// times, shows at most s heads with a chance of 2.5 % or less; 0 where there is none.
std::size_t left_out(std::size_t n) {
  double log_term = -static_cast<double>(n) * std::log(2.0);  // log of C(n, k) / 2^n
  double tail = 0;
  for (std::size_t k = 0;; ++k) {
    tail += std::exp(log_term);
    if (!(tail <= 0.025)) return k == 0 ? 0 : k - 1;
    log_term += std::log(static_cast<double>(n - k)) - std::log(static_cast<double>(k + 1));
  }
}

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

double Summary::relative_half_width() const {
  if (!(median_us > 0)) return std::numeric_limits<double>::infinity();
  return (ci_high_us - ci_low_us) / 2 / median_us;
}

Summary summarise(std::span<const double> samples_us) {
  if (samples_us.empty()) return {};
  std::vector<double> sorted(samples_us.begin(), samples_us.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t skip = left_out(sorted.size());
  return {.median_us = quantile(sorted, 0.5),
          .ci_low_us = sorted[skip],
          .ci_high_us = sorted[sorted.size() - 1 - skip],
          .min_us = sorted.front(),
          .p10_us = quantile(sorted, 0.1),
          .p90_us = quantile(sorted, 0.9),
          .n = static_cast<int>(sorted.size()),
          .stopped_by = {}};
}

Summary summarise_draws(std::span<const std::vector<double>> rounds_us, int draws) {
  std::vector<std::vector<double>> of_draw(static_cast<std::size_t>(std::max(draws, 1)));
  std::vector<double> all;
  for (std::size_t r = 0; r < rounds_us.size(); ++r) {
    std::vector<double>& same = of_draw[r % of_draw.size()];
    same.insert(same.end(), rounds_us[r].begin(), rounds_us[r].end());
    all.insert(all.end(), rounds_us[r].begin(), rounds_us[r].end());
  }
  Summary summary = summarise(all);
  std::erase_if(of_draw, [](const std::vector<double>& samples) { return samples.empty(); });
  if (of_draw.size() < 2) return summary;
  // One or two samples are their own median: they do not show how it varies, but those of all draws do.
  constexpr std::size_t kLeast = 3;
  const bool shows_spread = std::all_of(of_draw.begin(), of_draw.end(),
                                        [](const std::vector<double>& samples) { return samples.size() >= kLeast; });
  std::vector<double> medians, relative;
  for (const std::vector<double>& samples : of_draw) {
    medians.push_back(median(samples));
    for (const double us : samples) relative.push_back(us / medians.back());
  }
  const Summary spread = summarise(relative);
  summary.median_us = mean(medians);
  if (!shows_spread) return summary;
  summary.ci_low_us = summary.median_us * spread.ci_low_us;
  summary.ci_high_us = summary.median_us * spread.ci_high_us;
  return summary;
}

double student_t(std::size_t degrees) {
  constexpr std::array<double, 30> kTable{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                          2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                          2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  return degrees <= kTable.size() ? kTable[degrees - 1] : 1.96 + 2.4 / static_cast<double>(degrees);
}

double median(std::span<const double> values) {
  return summarise(values).median_us;
}

double geometric_mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

Ratio speedup(std::span<const double> times, std::span<const double> others, int draws) {
  const std::size_t rounds = std::min(times.size(), others.size());
  if (rounds < 2) throw std::invalid_argument("a ratio needs two rounds that both sides took part in");
  const bool has_pairs = draws > 1 && rounds >= 2 * static_cast<std::size_t>(draws);
  std::vector<std::vector<double>> logs(has_pairs ? static_cast<std::size_t>(draws) : 1);  // of each draw
  for (std::size_t i = 0; i < rounds; ++i) {
    const double log = std::log(others[i] / times[i]);
    if (!std::isfinite(log)) throw std::invalid_argument("a ratio needs positive times");
    logs[i % logs.size()].push_back(log);
  }
  const double count = static_cast<double>(logs.size());
  double centre = 0, squares = 0, share = 0;
  for (const std::vector<double>& of_draw : logs) {
    const double own = mean(of_draw);
    for (const double value : of_draw) squares += (value - own) * (value - own);
    centre += own / count;
    share += 1 / static_cast<double>(of_draw.size()) / (count * count);
  }
  const std::size_t degrees = rounds - logs.size();
  const double half_width = student_t(degrees) * std::sqrt(squares / static_cast<double>(degrees) * share);

  std::mt19937_64 random(kBootstrapSeed);
  std::vector<double> means(kResamples);
  for (double& resampled : means) {
    resampled = 0;
    for (const std::vector<double>& of_draw : logs) {
      double sum = 0;
      for (std::size_t i = 0; i < of_draw.size(); ++i) sum += of_draw[random() % of_draw.size()];
      resampled += sum / static_cast<double>(of_draw.size()) / count;
    }
  }
  std::sort(means.begin(), means.end());
  return {.value = std::exp(centre),
          .low = std::exp(std::min(quantile(means, 0.025), centre - half_width)),
          .high = std::exp(std::max(quantile(means, 0.975), centre + half_width))};
}

}  // namespace moetune
