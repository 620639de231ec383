#include "measure/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace moetune {
namespace {

constexpr double kWarmUpUs = 1000;  // warm up for at least this long …
constexpr int kWarmUpSamples = 10;  // … or so many samples
constexpr double kDearUs = 1e6;     // a warm-up sample longer than this is not thrown away
constexpr double kHopeless = 3.0;   // of the incumbent's time: one sample after the warm-up is enough to tell
constexpr double kBehind = 1.25;    // of the incumbent's time: kBehindSamples are enough to tell
constexpr int kBehindSamples = 10;

/// A candidate on its way through the rounds.
class Runner {
 public:
  Runner(const Candidate& candidate, const SamplingRule& rule, const SamplingContext& context)
      : candidate_(candidate), rule_(rule), context_(context) {}

  /// Untimed samples that also size the batches. A sample longer than a second and than the cap is warm enough, as
  /// verification ran the pipeline twice, and too dear to throw away: it counts, unless it has to be paired.
  void warm_up(int rounds, bool alone, const Pipeline*& last_run) {
    const double start = context_.clock();
    const std::vector<double> first = take(1, last_run);
    if (failure_) return;
    double typical_us = first.front();
    double seconds_each = context_.clock() - start;
    if (rule_.incumbent_us && typical_us > kHopeless * *rule_.incumbent_us) return;  // a visit of one sample decides
    if (alone && typical_us >= std::max(kDearUs, rule_.max_seconds * 1e6)) {
      keep(first);
      return end("cap");
    }
    const int more = static_cast<int>(std::min(kWarmUpUs / typical_us, double{kWarmUpSamples})) - 1;
    if (more > 0) {
      const double again = context_.clock();
      typical_us = median(take(more, last_run));
      if (failure_) return;
      seconds_each = (context_.clock() - again) / more;
    }
    const int needed = std::max((rule_.min_samples + rounds - 1) / rounds,
                                static_cast<int>(std::min(rule_.visit_seconds * 1e6 / typical_us, 1e6)));
    const double affordable = rule_.max_seconds / rounds / std::max(seconds_each, 1e-9);
    batch_ = std::max(1, std::min({needed, rule_.max_samples / rounds, static_cast<int>(std::min(affordable, 1e6))}));
  }

  void visit(const Pipeline*& last_run) {
    if (rule_.rest_seconds > 0) context_.rest(rule_.rest_seconds);
    const std::vector<double> samples = take(batch_, last_run);
    if (!failure_) keep(samples);
  }

  /// After a round: is this one still to be sampled for its own sake?
  bool is_open(int rounds, bool alone) {
    if (is_over()) return false;
    summary_ = summarise(all_);
    if (is_behind()) {
      end("behind");
      return false;
    }
    const int seen = static_cast<int>(rounds_us_.size());
    if ((spent_s_ >= rule_.max_seconds && seen >= (alone ? 1 : std::min(rounds, 2))) ||
        (summary_.n >= rule_.max_samples && seen >= rounds)) {
      end(has_interval() ? "interval" : "cap");
      return false;
    }
    return seen < rounds || summary_.n < rule_.min_samples || !has_interval();
  }

  bool is_over() const { return failure_ || !stopped_by_.empty(); }

  void end(std::string_view why) {
    if (stopped_by_.empty()) stopped_by_ = why;
  }

  Result<Measurement> result() {
    if (failure_) return *failure_;
    if (all_.empty()) return Failure{.outcome = Outcome::skipped, .reason = "interrupted before the first sample"};
    Measurement measurement{.time = summarise(all_), .rounds_us = std::move(rounds_us_), .seconds = spent_s_};
    measurement.time.stopped_by = stopped_by_;
    return measurement;
  }

 private:
  bool has_interval() const { return summary_.relative_half_width() <= rule_.relative_half_width; }

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

  /// `n` samples, or a failure_.
  std::vector<double> take(int n, const Pipeline*& last_run) {
    const double start = context_.clock();
    Result<std::vector<double>> times = time(n, last_run);
    spent_s_ += context_.clock() - start;
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
    if (!candidate_.stage) {
      last_run = &pipeline;
      return pipeline.time(n, context_.timing);
    }
    if (last_run != &pipeline) {
      const Result<OutputScan> run = pipeline.run();
      last_run = &pipeline;
      if (!run) return run.failure();
    }
    return pipeline.time_stage(*candidate_.stage, n, context_.timing);
  }

  Candidate candidate_;
  const SamplingRule& rule_;
  const SamplingContext& context_;
  int batch_ = 1;
  double spent_s_ = 0;
  std::vector<std::vector<double>> rounds_us_;
  std::vector<double> all_;
  Summary summary_;
  std::optional<Failure> failure_;
  std::string stopped_by_;
};

}  // namespace

SamplingRule screening(int rung) {
  const int times = rung <= 0 ? 1 : rung == 1 ? 3 : 9;
  return {.relative_half_width = rung <= 0   ? 0.02
                                 : rung == 1 ? 0.01
                                             : 0.005,
          .min_samples = 6 * times,  // fewer than 6 have no 95 % interval
          .max_samples = 40 * times,
          .max_seconds = 0.1 * times};
}

SamplingRule finals() {
  return {};
}

SamplingRule reporting(Backend backend) {
  // Back to back for 0.1 s, a GPU comes under its power limit within the visit, as it does when it serves.
  constexpr double kVisit = 0.1;
  return {.visit_seconds = kVisit, .rest_seconds = backend == Backend::cuda ? kVisit : 0};
}

std::vector<double> Measurement::round_medians() const {
  std::vector<double> medians;
  medians.reserve(rounds_us.size());
  for (const std::vector<double>& round : rounds_us) medians.push_back(median(round));
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
  for (Runner& runner : runners)
    if (!(interrupted = interrupted || context.stop())) runner.warm_up(rounds, alone, last_run);

  bool open = count > 0;
  for (std::size_t round = 0; open && !interrupted; ++round) {
    for (std::size_t i = 0; i < count && !interrupted; ++i) {
      Runner& runner = runners[(round + i) % count];
      if (!runner.is_over()) runner.visit(last_run);
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

}  // namespace moetune
