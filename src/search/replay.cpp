#include "search/replay.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "search/racing.h"
#include "search/search_loop.h"

namespace moetune {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// Two measurements of a config on an H200 differ by a standard deviation of 0.7 % below 100 µs, which their intervals
/// tell, and of 0.2 % at 100 … 1000 µs and 0.5 % above, where the intervals tell 0.2 % and 0.1 %: (the first and second
/// look at some 1400 configs of the committed journals, by the median of |ratio - 1| after taking off each stage's
/// own).
constexpr double kLeastSpread = 0.003;
constexpr double kSamplesPerRung = 3;  // times as many as on the rung below, where a rung was not recorded

/// The 95 % interval as a standard deviation.
double spread_of(const RecordedTrial& trial) {
  constexpr double kWidth = 2 * 1.96;
  return std::max((trial.ci_high_us - trial.ci_low_us) / (kWidth * trial.median_us), kLeastSpread);
}

/// A number from a standard normal distribution that is the same for the same arguments.
double normal(std::uint64_t seed, std::size_t candidate, int rung) {
  std::mt19937_64 random(seed * 1'000'003 + candidate * 4 + static_cast<std::uint64_t>(rung));
  random.discard(2);  // small seeds differ little in the first
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; };
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

/// The p-th quantile, from the nearest rank up.
double quantile(std::vector<double> values, double p) {
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(rank, 1, values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

ReplaySpace::ReplaySpace(const RecordedSpace& recorded, std::span<const Engine> engines)
    : space_(stage_space_of(recorded, engines)),
      compilers_(std::max(recorded.compilers, 1)),
      outcomes_(space_.configs.size()),
      optimum_us_(std::numeric_limits<double>::infinity()) {
  for (const RecordedSpace::Entry& entry : recorded.entries) {
    const std::size_t candidate = space_.index.at(entry.config);
    const RecordedTrial& first = entry.trials.front();
    Outcomes& outcomes = outcomes_[candidate];
    outcomes = {.outcome = first.outcome,
                .median_us = first.median_us,
                .spread = {},
                .measure_s = {},
                .compile_s = first.compile_s};
    for (int rung = 0; rung <= kLastRung; ++rung) {
      const auto index = static_cast<std::size_t>(rung);
      const bool is_recorded =
          index < entry.trials.size() && entry.trials[index].outcome == Outcome::ok && first.outcome == Outcome::ok;
      if (rung > 0 && !is_recorded) {
        outcomes.spread.push_back(std::max(outcomes.spread.back() / std::sqrt(kSamplesPerRung), kLeastSpread));
        outcomes.measure_s.push_back(outcomes.measure_s.back() * kSamplesPerRung);
      } else {
        outcomes.spread.push_back(is_recorded ? spread_of(entry.trials[index]) : 0);
        outcomes.measure_s.push_back(entry.trials[index].measure_s);
      }
    }
    if (first.outcome == Outcome::ok && first.median_us < optimum_us_) {
      optimum_us_ = first.median_us;
      optimum_ = candidate;
    }
  }
  if (!std::isfinite(optimum_us_))
    throw Error(fmt::format("{}, {}: no config worked in this recording", to_line(recorded.problem),
                            to_string(recorded.stage)));
}

/// Answers from the recording, and keeps the time that it would have taken.
class RecordedMeasurer final : public Measurer {
 public:
  RecordedMeasurer(const ReplaySpace& space, const ReplayOptions& options, std::uint64_t seed)
      : space_(space), options_(options), seed_(seed), meter_(make_meter()) {
    run_.within_1 = run_.within_5 = {.evaluations = kNever, .seconds = kNever};
    run_.regret = kNever;
  }

  void measure(const std::vector<Proposal>& batch) override {
    compile(batch);
    for (const Proposal& proposal : batch) {
      if (is_over()) break;
      const ReplaySpace::Outcomes& outcomes = space_.outcomes_[proposal.candidate];
      const auto rung = static_cast<std::size_t>(std::min(proposal.rung, kLastRung));
      const double z = options_.noise > 0 ? normal(seed_, proposal.candidate, proposal.rung) : 0;
      now_s_ += outcomes.measure_s[rung];
      meter_.count_trial();
      board_.add({.candidate = proposal.candidate,
                  .rung = proposal.rung,
                  .outcome = outcomes.outcome,
                  .median_us = outcomes.median_us * std::exp(options_.noise * outcomes.spread[rung] * z)});
      // Of a race nothing is known before all have run.
      if (proposal.rung == 0) look();
    }
    look();
  }

  const Scoreboard& board() const override { return board_; }
  const Meter& meter() const override { return meter_; }

  ReplayRun result() {
    run_.evaluations = meter_.trials();
    run_.seconds = now_s_;
    return run_;
  }

 private:
  /// What was recorded are shares of the time that many took together; a few of them take no less than one alone.
  void compile(const std::vector<Proposal>& batch) {
    double together_s = 0, alone_s = 0;
    for (const Proposal& proposal : batch) {
      if (board_.has_seen(proposal.candidate)) continue;
      const double share_s = space_.outcomes_[proposal.candidate].compile_s;
      together_s += share_s;
      alone_s = std::max(alone_s, share_s * space_.compilers_);
    }
    now_s_ += std::max(together_s, alone_s);
  }

  Meter make_meter() const {
    std::optional<double> deadline;
    if (options_.budget.kind == Budget::Kind::seconds) deadline = options_.budget.value;
    constexpr double kTrialSeconds = 0.1;  // a guess until there are some
    return {trials_of(options_.budget, space_.space().configs.size()), deadline, kTrialSeconds,
            [this] { return now_s_; }};
  }

  void look() {
    const std::optional<std::size_t> leader = board_.leader();
    if (!leader) return;
    run_.regret = space_.outcomes_[*leader].median_us / space_.optimum_us() - 1;
    const ReplayRun::Reached now{.evaluations = static_cast<double>(meter_.trials()), .seconds = now_s_};
    if (run_.regret <= 0.01 && run_.within_1.evaluations == kNever) run_.within_1 = now;
    if (run_.regret <= 0.05 && run_.within_5.evaluations == kNever) run_.within_5 = now;
  }

  const ReplaySpace& space_;
  const ReplayOptions& options_;
  std::uint64_t seed_;
  double now_s_ = 0;
  Meter meter_;
  Scoreboard board_;
  ReplayRun run_;
};

ReplayRun ReplaySpace::run(const StrategyRow& strategy, const ReplayOptions& options, std::uint64_t seed) const {
  RecordedMeasurer measurer(*this, options, seed);
  search(*strategy.make(space_, seed), measurer);
  return measurer.result();
}

ReplaySummary summarise(std::span<const ReplayRun> runs) {
  ReplaySummary summary{.runs = runs.size()};
  if (runs.empty()) return summary;
  const auto figure = [&](auto value) {
    std::vector<double> values;
    for (const ReplayRun& run : runs) values.push_back(value(run));
    return ReplaySummary::Figure{.median = quantile(values, 0.5), .p95 = quantile(values, 0.95)};
  };
  summary.evaluations_1 = figure([](const ReplayRun& run) { return run.within_1.evaluations; });
  summary.evaluations_5 = figure([](const ReplayRun& run) { return run.within_5.evaluations; });
  summary.seconds_1 = figure([](const ReplayRun& run) { return run.within_1.seconds; });
  summary.seconds_5 = figure([](const ReplayRun& run) { return run.within_5.seconds; });
  summary.regret = figure([](const ReplayRun& run) { return run.regret; });
  for (const ReplayRun& run : runs) {
    summary.within_1 += run.regret <= 0.01;
    summary.within_5 += run.regret <= 0.05;
  }
  summary.within_1 /= static_cast<double>(runs.size());
  summary.within_5 /= static_cast<double>(runs.size());
  return summary;
}

std::vector<std::vector<std::vector<ReplayRun>>> replay(std::span<const StrategyRow* const> strategies,
                                                        std::span<const ReplaySpace> spaces,
                                                        const ReplayOptions& options, std::size_t seeds) {
  std::vector<std::vector<std::vector<ReplayRun>>> runs(
      strategies.size(), std::vector<std::vector<ReplayRun>>(spaces.size(), std::vector<ReplayRun>(seeds)));
  std::atomic<std::size_t> next = 0;
  const std::size_t total = strategies.size() * spaces.size() * seeds;
  const auto work = [&] {
    for (std::size_t i = next++; i < total; i = next++) {
      const std::size_t seed = i % seeds, space = i / seeds % spaces.size(), strategy = i / seeds / spaces.size();
      runs[strategy][space][seed] = spaces[space].run(*strategies[strategy], options, seed + 1);
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return runs;
}

}  // namespace moetune
