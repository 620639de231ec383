#include "search/workbench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace moetune {
namespace {

std::set<std::pair<Stage, StageConfig>> stages_of(std::span<const PipelineConfig> configs) {
  std::set<std::pair<Stage, StageConfig>> distinct;
  for (const PipelineConfig& config : configs) distinct.insert(config.stages.begin(), config.stages.end());
  return distinct;
}

/// Adds what passes while it lives.
class Stopwatch {
 public:
  Stopwatch(const Clock& clock, double& seconds) : clock_(clock), seconds_(seconds), start_s_(clock()) {}
  ~Stopwatch() { seconds_ += clock_() - start_s_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const Clock& clock_;
  double& seconds_;
  double start_s_;
};

}  // namespace

Workbench::Workbench(Device& device, const Problem& problem, std::vector<Impl> impls, const TuneOptions& options,
                     TuneEvents& events, double start_s)
    : device_(device),
      problem_(problem),
      impls_(std::move(impls)),
      options_(options),
      events_(events),
      start_s_(start_s),
      memory_(options.recorded) {
  const DataSpec data{.fill = Fill::random, .seed = options.seed};
  const Stopwatch stopwatch(options_.clock, spent_.on_device);
  workload_ = device.load(problem, data);  // first: the references of what does not fit would take hours
  references_ = begin_references(data);
}

std::shared_future<Workbench::References> Workbench::begin_references(const DataSpec& data,
                                                                      std::shared_future<References> earlier) const {
  return std::async(std::launch::async,
                    [this, data, earlier = std::move(earlier)] {
                      if (earlier.valid()) earlier.wait();
                      const Routing routing = make_routing(problem_, data);
                      const std::vector<std::int64_t> tokens =
                          choose_tokens(problem_, routing, data.seed, options_.mac_budget);
                      References references;
                      for (const Impl impl : impls_)
                        references.emplace(impl, compute_reference(problem_, impl, routing, data, tokens));
                      return references;
                    })
      .share();
}

void Workbench::announce(const DataSpec& data) {
  if (leaves_host_idle()) announced_ = {.data = data, .references = begin_references(data, references_)};
}

void Workbench::refill(const DataSpec& data) {
  const bool is_announced = announced_ && announced_->data == data;
  references_ = is_announced ? announced_->references : begin_references(data);
  const Stopwatch stopwatch(options_.clock, spent_.on_device);
  workload_->refill(data);
  draw_ = 0;
}

bool Workbench::leaves_host_idle() const {
  return !device_.kernels(problem_, {}).empty() && options_.timing.launch != LaunchMode::eager;
}

void Workbench::reroute(int draw) {
  if (draw == draw_) return;
  workload_->reroute(draw);
  draw_ = draw;
}

Load Workbench::load() const {
  return mean_load(problem_, data(), options_.timing.routing_draws);
}

void Workbench::prepare(std::span<const PipelineConfig> configs) {
  begin_to_prepare(configs);
  prepared_within(std::numeric_limits<double>::infinity(), configs);
}

void Workbench::begin_to_prepare(std::span<const PipelineConfig> configs) {
  std::set<std::pair<Stage, StageConfig>> distinct = stages_of(configs);
  std::erase_if(distinct, [this](const auto& each) { return compile_s_.contains(each); });
  for (const Preparation& preparation : preparations_)
    for (const auto& stage : preparation.stages) distinct.erase(stage);
  if (distinct.empty()) return;
  // Each engine's by themselves: they are not done at the same time.
  std::map<std::string, std::vector<std::pair<Stage, StageConfig>>> by_engine;
  for (const auto& stage : distinct) by_engine[stage.second.engine].push_back(stage);
  const auto policy = leaves_host_idle() ? std::launch::async : std::launch::deferred;
  for (auto& [engine, stages] : by_engine) {
    std::future<double> seconds = std::async(policy, [this, stages = stages] {
      const double start = options_.clock();
      device_.prepare(problem_, stages, [] {});
      return options_.clock() - start;
    });
    preparations_.push_back({.stages = std::move(stages), .seconds = std::move(seconds)});
  }
}

bool Workbench::prepared_within(double seconds, std::span<const PipelineConfig> configs) {
  const Stopwatch stopwatch(options_.clock, spent_.compiling);
  const double end = options_.clock() + seconds;
  const std::set<std::pair<Stage, StageConfig>> wanted = stages_of(configs);
  const auto is_wanted = [&](const Preparation& preparation) {
    return std::any_of(preparation.stages.begin(), preparation.stages.end(),
                       [&](const auto& stage) { return wanted.contains(stage); });
  };
  for (auto preparation = preparations_.begin(); preparation != preparations_.end();) {
    if (!is_wanted(*preparation)) {
      ++preparation;
      continue;
    }
    if (std::isfinite(seconds)) {
      const auto left = std::chrono::duration<double>(std::max(0.0, end - options_.clock()));
      if (preparation->seconds.wait_for(left) == std::future_status::timeout) return false;
    }
    finish(*preparation);
    preparation = preparations_.erase(preparation);
  }
  return true;
}

void Workbench::take_in_prepared() {
  std::erase_if(preparations_, [this](Preparation& preparation) {
    if (preparation.seconds.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
    finish(preparation);
    return true;
  });
}

void Workbench::finish(Preparation& preparation) {
  prepare_s_ = preparation.seconds.get() / static_cast<double>(preparation.stages.size());
  for (const auto& stage : preparation.stages) compile_s_.emplace(stage, prepare_s_);
}

bool Workbench::is_prepared(const PipelineConfig& config) const {
  return std::all_of(config.stages.begin(), config.stages.end(),
                     [this](const auto& stage) { return compile_s_.contains(stage); });
}

Trial Workbench::describe(const PipelineConfig& config, Trial::Phase phase, std::optional<Stage> stage,
                          int rung) const {
  return {.problem = problem_,
          .phase = phase,
          .stage = stage,
          .rung = rung,
          .config = config,
          .data = data(),
          .timing = options_.timing};
}

const Trial* Workbench::recall(const PipelineConfig& config, Trial::Phase phase, std::optional<Stage> stage,
                               int rung) const {
  return memory_.find(describe(config, phase, stage, rung));
}

void Workbench::adopt(const Trial& recalled) {
  ++reported_;
  recalled_s_ += std::max(0.0, recalled.elapsed_s - seconds());
}

Attempt Workbench::attempt(const PipelineConfig& config, Trial::Phase phase, std::optional<Stage> stage, int rung) {
  Trial trial = describe(config, phase, stage, rung);
  trial.elapsed_s = seconds();
  events_.on_attempt(trial);
  return build_and_verify(trial);
}

Attempt Workbench::build_and_verify(const Trial& description) {
  references_.wait();
  const Stopwatch stopwatch(options_.clock, spent_.on_device);
  reroute(0);
  const PipelineConfig& config = description.config;
  Attempt attempt{.trial = description};
  for (const auto& each : config.stages)
    if (const auto prepared = compile_s_.find(each); prepared != compile_s_.end())
      attempt.trial.compile_s += std::exchange(prepared->second, 0);
  const double start = options_.clock();
  if (Result<std::unique_ptr<Pipeline>> built = workload_->build(config)) {
    attempt.pipeline = std::move(built.value());
    verify_attempt(attempt);
  } else {
    attempt.trial.outcome = built.failure().outcome;
    attempt.trial.reason = built.failure().reason;
  }
  attempt.trial.wall_s = options_.clock() - start;
  return attempt;
}

Attempt Workbench::verify_again(const PipelineConfig& config, std::unique_ptr<Pipeline> pipeline) {
  references_.wait();
  const Stopwatch stopwatch(options_.clock, spent_.on_device);
  reroute(0);
  Attempt attempt{.trial = describe(config, Trial::Phase::final, std::nullopt, 0), .pipeline = std::move(pipeline)};
  attempt.trial.elapsed_s = seconds();
  events_.on_attempt(attempt.trial);
  const double start = options_.clock();
  verify_attempt(attempt);
  attempt.trial.wall_s = options_.clock() - start;
  return attempt;
}

void Workbench::verify_attempt(Attempt& attempt) {
  Verification verification = verify(*attempt.pipeline, problem_, data(), reference(attempt.trial.config.impl));
  attempt.trial.verdict = std::move(verification.verdict);
  if (verification.result) {
    attempt.verified = verification.result.value();
  } else {
    attempt.trial.outcome = verification.result.failure().outcome;
    attempt.trial.reason = verification.result.failure().reason;
  }
}

bool Workbench::still_works(const PipelineConfig& config) {
  return build_and_verify(describe(config, Trial::Phase::screen, std::nullopt, 0)).is_verified();
}

void Workbench::report(Attempt& attempt, const Result<Measurement>& measured) {
  if (measured) {
    attempt.trial.outcome = Outcome::ok;
    attempt.trial.time = measured.value().time;
    attempt.trial.wall_s += measured.value().seconds;
  } else {
    attempt.trial.outcome = measured.failure().outcome;
    attempt.trial.reason = measured.failure().reason;
  }
  report(attempt);
}

void Workbench::report(Attempt& attempt) {
  ++reported_;
  attempt.trial.elapsed_s = seconds();
  events_.on_trial(attempt.trial);
}

void Workbench::progress(std::string_view phase, std::size_t to_come, std::optional<double> best_us,
                         std::string best_label) {
  events_.on_progress({.phase = std::string(phase),
                       .done = reported_,
                       .expected = reported_ + to_come,
                       .seconds = seconds(),
                       .spent = spent_,
                       .best_us = best_us,
                       .best_label = std::move(best_label)});
}

int Workbench::draws() const {
  return draws_of(problem_, options_.timing);
}

std::vector<Result<Measurement>> Workbench::sample(std::span<const Candidate> candidates, int rounds,
                                                   const SamplingRule& rule) {
  SamplingContext context{.timing = options_.timing, .clock = options_.clock, .rest = options_.rest, .stop = [this] {
                            return events_.should_stop();
                          }};
  context.read = [this](double seconds) { device_.read_memory(seconds); };
  context.read_clock = [this] { return device_.clock(); };
  if (is_random(problem_.routing)) context.reroute = [this](int draw) { reroute(draw); };
  const Stopwatch stopwatch(options_.clock, spent_.on_device);
  return moetune::sample(candidates, rounds, rule, context);
}

}  // namespace moetune
