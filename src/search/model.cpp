// Model-guided search: what the prior and the times seen so far promise most is screened next.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "search/racing.h"
#include "search/surrogate.h"

namespace moetune {
namespace {

constexpr std::size_t kGuesses = 6;     // of the engines, before the model has a say
constexpr double kSpread = 0.005;       // of a screening
constexpr double kHopeless = 0.7;       // logarithm of a time over the best: how much slower makes no difference
constexpr double kFailureSpread = 0.1;  // of what a config that failed is taken for: hopeless
// Learning takes the square of the observations times the candidates: 0.1 s of 160 and 9000.
constexpr std::size_t kMostLessons = 160;
constexpr std::size_t kRandom = 10;  // one in so many is at random, lest the model be wrong where it never looks

/// How much faster than `best` a config is expected to be, where it is faster.
double expected_improvement(double best, double mean, double deviation) {
  if (!(deviation > 0)) return std::max(best - mean, 0.0);
  const double z = (best - mean) / deviation;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  return deviation * (density + z * std::erfc(-z / std::numbers::sqrt2) / 2);
}

class Model final : public Racing {
 public:
  Model(const StageSpace& space, std::uint64_t seed) : space_(space), surrogate_(space), random_(seed) {}

 private:
  // A screening tells more here than a race. Generations: with 12 as good, with 4 the 95th percentile gets worse; each
  // costs the time of a compilation.
  double screening_share() const override { return 0.8; }
  double generations() const override { return 6; }

  std::vector<std::size_t> screen(const Scoreboard& seen, std::size_t most) override {
    std::vector<bool> taken(space_.configs.size());
    std::vector<std::size_t> batch;
    const auto take = [&](std::size_t candidate) {
      taken[candidate] = true;
      batch.push_back(candidate);
      surrogate_.assume(candidate, kSpread);
    };
    const double best = learn(seen, taken);
    if (seen.size() == 0)
      for (std::size_t i = 0; i < space_.first.size() && batch.size() < std::min(most, kGuesses); ++i)
        take(space_.first[i]);
    while (batch.size() < most) {
      const std::optional<std::size_t> next = ++picks_ % kRandom == 0 ? at_random(taken) : most_promising(taken, best);
      if (!next) break;
      take(*next);
    }
    return batch;
  }

  /// All that has been seen, anew. Returns the logarithm of the best time.
  double learn(const Scoreboard& seen, std::vector<bool>& taken) {
    const std::vector<std::size_t> ranked = seen.ranked();
    if (ranked.empty()) {
      for (std::size_t i = 0; i < taken.size(); ++i) taken[i] = seen.has_seen(i);
      surrogate_.restart(0);
      double best = 0;
      for (std::size_t i = 0; i < taken.size(); ++i)
        if (!taken[i]) best = std::min(best, surrogate_.mean(i));
      return best;
    }
    double best = std::log(seen.at(ranked.front()).median_us), level = 0;
    for (const std::size_t candidate : ranked) {
      const double log_us = std::log(seen.at(candidate).median_us);
      best = std::min(best, log_us);
      level += (std::min(log_us, best + kHopeless) - surrogate_.prior(candidate)) / static_cast<double>(ranked.size());
    }
    surrogate_.restart(level);
    for (std::size_t i = 0; i < taken.size(); ++i) taken[i] = seen.has_seen(i);
    for (const std::size_t candidate : lessons(ranked, seen, taken)) {
      const Observation& observation = seen.at(candidate);
      const bool worked = observation.outcome == Outcome::ok;
      const double log_us = worked ? std::log(observation.median_us) : best + kHopeless;
      surrogate_.observe(candidate, std::min(log_us, best + kHopeless), worked ? kSpread : kFailureSpread);
    }
    return best;
  }

  /// What to learn from: all, or the fastest and some of the others.
  static std::vector<std::size_t> lessons(std::vector<std::size_t> ranked, const Scoreboard& seen,
                                          const std::vector<bool>& taken) {
    for (std::size_t i = 0; i < taken.size(); ++i)
      if (taken[i] && seen.at(i).outcome != Outcome::ok) ranked.push_back(i);
    if (ranked.size() <= kMostLessons) return ranked;
    const std::size_t fastest = kMostLessons / 3 * 2, others = kMostLessons - fastest;
    std::vector<std::size_t> some(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(fastest));
    for (std::size_t i = 0; i < others; ++i) some.push_back(ranked[fastest + i * (ranked.size() - fastest) / others]);
    return some;
  }

  std::optional<std::size_t> most_promising(const std::vector<bool>& taken, double best) const {
    std::optional<std::size_t> promising;
    double most = -1;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (taken[i]) continue;
      const double gain = expected_improvement(best, surrogate_.mean(i), surrogate_.deviation(i));
      if (gain > most) {
        most = gain;
        promising = i;
      }
    }
    return promising;
  }

  std::optional<std::size_t> at_random(const std::vector<bool>& taken) {
    for (std::size_t tries = 0; tries < 2 * taken.size(); ++tries)
      if (const std::size_t i = draw(random_, taken.size()); !taken[i]) return i;
    return std::nullopt;
  }

  const StageSpace& space_;
  Surrogate surrogate_;
  std::size_t picks_ = 0;
  std::mt19937_64 random_;
};

}  // namespace

std::unique_ptr<Strategy> make_model(const StageSpace& space, std::uint64_t seed) {
  return std::make_unique<Model>(space, seed);
}

}  // namespace moetune
