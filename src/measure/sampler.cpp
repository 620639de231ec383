#include "measure/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "measure/clock_readings.h"

namespace moetune {
namespace {

constexpr double kWarmUpUs = 1000;  // warm up for at least this long …
constexpr int kWarmUpSamples = 10;  // … or so many samples
constexpr double kDearUs = 1e6;     // a warm-up sample longer than this is not thrown away
constexpr double kHopeless = 3.0;   // of the incumbent's time: one sample after the warm-up is enough to tell
constexpr double kBehind = 1.25;    // of the incumbent's time: kBehindSamples are enough to tell
constexpr int kBehindSamples = 10;
constexpr int kSlowRetries = 3;     // of a visit at a clock far below the candidate's best …
constexpr double kSlowRest = 0.05;  // … after this many seconds, then twice and four times as many

/// Of a visit that has estimates, where a sample takes `us`.
int warm_ups_at(double us, int most) {
  constexpr double kLongUs = 5e3, kVeryLongUs = 30e3;
  return us < kLongUs ? most : std::min(most, us < kVeryLongUs ? 3 : 1);
}

/// A candidate on its way through the rounds.
class Runner {
 public:
  Runner(const Candidate& candidate, const SamplingRule& rule, const SamplingContext& context)
      : candidate_(candidate), rule_(rule), context_(context) {}

  /// Untimed samples for `lead_in_s` at least, which also size the batches. A sample longer than a second and than the
  /// cap is warm enough, as verification ran the pipeline twice, and too dear to throw away: it counts, unless it has
  /// to be paired.
  void warm_up(int rounds, bool alone, double lead_in_s, const Pipeline*& last_run) {
    const std::vector<double> first = take(1, last_run);
    if (failure_) return;
    double typical_us = first.front();
    if (rule_.incumbent_us && typical_us > kHopeless * *rule_.incumbent_us) return;  // a visit of one sample decides
    if (alone && typical_us >= std::max(kDearUs, rule_.max_seconds * 1e6)) {
      keep(first);
      return end("cap");
    }
    const int more = static_cast<int>(std::min(kWarmUpUs / typical_us, double{kWarmUpSamples})) - 1;
    if (more > 0) {
      typical_us = median(take(more, last_run));
      if (failure_) return;
    }
    load(lead_in_s - spent_s_, last_run);
    const int needed = std::max((rule_.min_samples + rounds - 1) / rounds,
                                static_cast<int>(std::min(rule_.visit_seconds * 1e6 / typical_us, 1e6)));
    const double visit_s = (rule_.max_seconds - spent_s_) / rounds - rule_.settle_seconds - rule_.rest_seconds;
    const double affordable = std::max(0.0, visit_s) / std::max(seconds_each_, 1e-9);
    batch_ = std::max(1, std::min({needed, rule_.max_samples / rounds, static_cast<int>(std::min(affordable, 1e6))}));
  }

  void visit(int rounds, const Pipeline*& last_run) {
    std::vector<double> samples;
    ClockState clock;
    double rest_s = rule_.rest_seconds;
    for (int attempt = 0; attempt <= kSlowRetries; ++attempt) {
      rest(rest_s);
      begin(rounds, last_run);
      load(rule_.settle_seconds, last_run);
      if (!failure_) samples = take(batch_, last_run);
      if (failure_) return;
      if (context_.read_clock) clock = context_.read_clock();
      if (!clock_.is_slow(clock) || spent_s_ >= rule_.max_seconds) break;
      rest_s = std::max(2 * rest_s, kSlowRest);
    }
    keep(samples);
    clock_.add(clock);
  }

  /// After a round: is this one still to be sampled for its own sake?
  bool is_open(int rounds, bool alone) {
    if (is_over()) return false;
    summary_ = summarise_draws(rounds_us_, context_.draws());
    if (is_behind()) {
      end("behind");
      return false;
    }
    const int seen = static_cast<int>(rounds_us_.size());
    if ((spent_s_ >= rule_.max_seconds && seen >= (alone ? 1 : std::min(rounds, rule_.least_rounds))) ||
        (summary_.n >= rule_.max_samples && seen >= rounds)) {
      end(has_interval() ? "interval" : "cap");
      return false;
    }
    return seen < rounds || summary_.n < rule_.min_samples || !has_interval();
  }

  std::optional<Failure> load_alone(double seconds) {
    const Pipeline* last_run = nullptr;
    take(1, last_run);
    load(seconds - spent_s_, last_run);
    return failure_;
  }

  Result<int> begin_alone(int rounds) {
    const Pipeline* last_run = nullptr;
    begin(rounds, last_run);
    if (failure_) return *failure_;
    return batch_;
  }

  bool is_over() const { return failure_ || !stopped_by_.empty(); }

  void end(std::string_view why) {
    if (stopped_by_.empty()) stopped_by_ = why;
  }

  Result<Measurement> result() {
    if (failure_) return *failure_;
    if (all_.empty()) return Failure{.outcome = Outcome::skipped, .reason = "interrupted before the first sample"};
    Measurement measurement{
        .time = summarise_draws(rounds_us_, context_.draws()), .rounds_us = std::move(rounds_us_), .seconds = spent_s_};
    measurement.time.stopped_by = stopped_by_;
    if (measurement.rounds_us.size() > 1) measurement.time.rounds_us = measurement.round_medians();
    clock_.complete(measurement.time);
    return measurement;
  }

 private:
  bool has_interval() const {
    constexpr int kLeast = 6;  // fewer have no 95 % interval
    return summary_.n >= kLeast && summary_.relative_half_width() <= rule_.relative_half_width;
  }

  bool is_behind() const {
    if (!rule_.incumbent_us) return false;
    if (summary_.min_us > kHopeless * *rule_.incumbent_us) return true;
    std::vector<double> sorted = all_;
    const auto quarter = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 4);
    std::nth_element(sorted.begin(), quarter, sorted.end());
    return summary_.n >= kBehindSamples && *quarter > kBehind * *rule_.incumbent_us;
  }

  void keep(const std::vector<double>& samples) {
    rounds_us_.push_back(samples);
    all_.insert(all_.end(), samples.begin(), samples.end());
  }

  void rest(double seconds) {
    if (seconds <= 0) return;
    const double start = context_.clock();
    context_.rest(seconds);
    spent_s_ += context_.clock() - start;
  }

  /// What comes before the samples of a visit, and how many these are to be.
  void begin(int rounds, const Pipeline*& last_run) {
    read(rule_.read_seconds);
    if (rule_.estimates == 0) return;
    const std::vector<double> estimates = take(rule_.estimates, last_run);
    if (failure_) return;
    const double typical_us = median(estimates);
    take(warm_ups_at(typical_us, rule_.warm_ups), last_run);
    batch_ = static_cast<int>(std::clamp(std::ceil(rule_.visit_seconds * 1e6 / typical_us),
                                         static_cast<double>(rule_.min_samples / rounds),
                                         static_cast<double>(rule_.max_samples / rounds)));
  }

  void read(double seconds) {
    if (seconds <= 0 || !context_.read) return;
    const double start = context_.clock();
    context_.read(seconds);
    spent_s_ += context_.clock() - start;
  }

  /// As many samples as come nearest to `seconds`, none of them kept.
  void load(double seconds, const Pipeline*& last_run) {
    while (!failure_ && seconds_each_ > 0 && seconds >= seconds_each_ / 2) {
      const double before = spent_s_;
      take(static_cast<int>(std::clamp(std::round(seconds / seconds_each_), 1.0, double{kMostSamplesAtOnce})),
           last_run);
      seconds -= spent_s_ - before;
    }
  }

  /// `n` samples, or a failure_.
  std::vector<double> take(int n, const Pipeline*& last_run) {
    const double start = context_.clock();
    Result<std::vector<double>> times = time(n, last_run);
    const double seconds = context_.clock() - start;
    spent_s_ += seconds;
    seconds_each_ = seconds / n;
    if (!times) {
      failure_ = times.failure();
      return {};
    }
    if (times.value().empty())
      failure_ = Failure{.outcome = Outcome::runtime_error, .reason = "the timer returned no samples"};
    for (const double us : times.value())
      if (!(us > 0 && std::isfinite(us)))
        failure_ = Failure{.outcome = Outcome::runtime_error, .reason = fmt::format("the timer returned {} us", us)};
    return std::move(times.value());
  }

  Result<std::vector<double>> time(int n, const Pipeline*& last_run) {
    Pipeline& pipeline = candidate_.pipeline.pipeline();
    if (!candidate_.stages) {
      last_run = &pipeline;
      return pipeline.time(n, context_.timing);
    }
    if (last_run != &pipeline) {
      const Result<OutputScan> run = pipeline.run();
      last_run = &pipeline;
      if (!run) return run.failure();
    }
    return pipeline.time_stages(*candidate_.stages, n, context_.timing);
  }

  Candidate candidate_;
  const SamplingRule& rule_;
  const SamplingContext& context_;
  int batch_ = 1;
  double spent_s_ = 0;
  double seconds_each_ = 0;  // of the samples taken last, flushes included
  std::vector<std::vector<double>> rounds_us_;
  std::vector<double> all_;
  ClockReadings clock_;  // one of each visit
  Summary summary_;
  std::optional<Failure> failure_;
  std::string stopped_by_;
};

}  // namespace

// What is compared has to be sampled in one power state, and what is reported in the one that lasts.
//
// - Screening samples a config alone, for 0.1 s at most, after its verification has left the GPU idle: each in a burst,
//   all alike. The rungs above it are compared among themselves only.
// - Races and finals go on without a pause, by turns in short visits, at the clocks that their mix draws; the lead-in
//   has brought the GPU there before the first round. Rests would rank finalists at clocks that they do not keep. To
//   let each settle by itself would take 20 s for a dozen of them. What one gains by drawing less power than the others
//   shows in the figures that are reported, for which winner and default meet again.
// - Reported figures are those of a GPU that runs this one pipeline and nothing else, all the time; or, to be held
//   against what others measured, of one that has just read memory.

SamplingRule screening(int rung, double settle_seconds) {
  const int times = rung <= 0 ? 1 : rung == 1 ? 3 : 9;
  return {.relative_half_width = rung <= 0   ? 0.02
                                 : rung == 1 ? 0.01
                                             : 0.005,
          .min_samples = 6 * times,  // fewer than 6 have no 95 % interval
          .max_samples = 40 * times,
          .max_seconds = 0.1 * times,
          .lead_in_seconds = rung <= 0 ? 0 : settle_seconds};
}

SamplingRule finals(double settle_seconds) {
  return {.lead_in_seconds = settle_seconds};
}

SamplingRule reporting(double settle_seconds) {
  constexpr int kRounds = 9;  // that there are usually: settling comes on top of the samples' time
  return {.max_seconds = 1.5 + kRounds * settle_seconds,
          .visit_seconds = 0.2,
          .lead_in_seconds = settle_seconds,  // where `shortened` leaves little of the settling
          .settle_seconds = settle_seconds};
}

SamplingRule replays(int rounds) {
  constexpr int kLeast = 10, kMost = 200;  // samples of a visit
  constexpr double kSeconds = 0.6;         // of a visit and what comes before it, flushes included
  return {.min_samples = kLeast * rounds,
          .max_samples = kMost * rounds,
          .max_seconds = kSeconds * rounds,
          .visit_seconds = 0.2,
          .read_seconds = 0.2,
          .estimates = 3,
          .warm_ups = 10};
}

SamplingRule bursts() {
  constexpr int kLeast = 3;  // samples of a burst, however long
  return {.relative_half_width = 0.02,
          .min_samples = kLeast * kBurstRounds,
          .max_samples = 20 * kBurstRounds,
          .max_seconds = 1,
          .visit_seconds = 0.03,
          .rest_seconds = 0.1};
}

SamplingRule shortened(SamplingRule rule, double seconds, std::size_t candidates, int rounds) {
  const double each = seconds / static_cast<double>(std::max<std::size_t>(candidates, 1));
  rule.max_seconds = std::min(rule.max_seconds, each);
  rule.lead_in_seconds = std::min(rule.lead_in_seconds, seconds / 4);
  rule.settle_seconds = std::min(rule.settle_seconds, each / 2 / rounds);
  rule.rest_seconds = std::min(rule.rest_seconds, each / 2 / rounds);
  if (rule.read_seconds > 0) {
    const double part = std::clamp(each / rounds / (rule.read_seconds + rule.visit_seconds), 0.5, 1.0);
    rule.read_seconds *= part;
    rule.visit_seconds *= part;
  }
  return rule;
}

int draws_of(const Problem& problem, const TimingOptions& timing) {
  return is_random(problem.routing) ? timing.routing_draws : 1;
}

std::vector<double> Measurement::round_medians(int draws) const {
  const bool splits =
      draws > 1 && rounds_us.size() == static_cast<std::size_t>(draws) &&
      std::all_of(rounds_us.begin(), rounds_us.end(), [](const auto& samples) { return samples.size() >= 2; });
  std::vector<double> medians;
  for (int half = 0; half < (splits ? 2 : 1); ++half)
    for (const std::vector<double>& samples : rounds_us) {
      const std::span<const double> all(samples);
      const std::size_t first = splits ? samples.size() / 2 : samples.size();
      medians.push_back(median(half == 0 ? all.first(first) : all.subspan(first)));
    }
  return medians;
}

std::vector<Result<Measurement>> sample(std::span<const Candidate> candidates, int rounds, const SamplingRule& rule,
                                        const SamplingContext& context) {
  rounds = std::max(rounds, 1);
  const std::size_t count = candidates.size();
  const bool alone = count == 1;
  std::vector<Runner> runners;
  runners.reserve(count);
  for (const Candidate& candidate : candidates) runners.emplace_back(candidate, rule, context);

  const Pipeline* last_run = nullptr;
  bool interrupted = false;
  const double lead_in_s = rule.lead_in_seconds / static_cast<double>(std::max<std::size_t>(count, 1));
  for (Runner& runner : runners)
    if (!(interrupted = interrupted || context.stop())) runner.warm_up(rounds, alone, lead_in_s, last_run);

  bool open = count > 0;
  for (std::size_t round = 0; open && !interrupted; ++round) {
    if (context.draws() > 1) {
      context.reroute(static_cast<int>(round % static_cast<std::size_t>(context.draws())));
      last_run = nullptr;
    }
    for (std::size_t i = 0; i < count && !interrupted; ++i) {
      Runner& runner = runners[(round + i) % count];
      if (!runner.is_over()) runner.visit(rounds, last_run);
      interrupted = context.stop();
    }
    open = false;
    for (Runner& runner : runners) open = runner.is_open(rounds, alone) || open;
  }

  std::vector<Result<Measurement>> results;
  results.reserve(count);
  for (Runner& runner : runners) {
    runner.end(interrupted ? "interrupted" : "interval");
    results.push_back(runner.result());
  }
  return results;
}

Result<int> begin_visit(const Candidate& candidate, const SamplingRule& rule, int rounds,
                        const SamplingContext& context) {
  return Runner(candidate, rule, context).begin_alone(rounds);
}

std::optional<Failure> load_for(double seconds, const Candidate& candidate, const SamplingContext& context) {
  if (seconds <= 0) return {};
  const SamplingRule rule;
  return Runner(candidate, rule, context).load_alone(seconds);
}

}  // namespace moetune
