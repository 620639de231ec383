#include "search/tune.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "problem/work.h"
#include "search/defaults.h"
#include "search/finals.h"
#include "search/joining.h"
#include "search/stage_search.h"
#include "search/strategy.h"
#include "search/workbench.h"

namespace moetune {
namespace {

constexpr double kSearchShare = 0.65;     // of the seconds; the rest is for the finals
constexpr double kShortSearch = 0.45;     // the same where these take visits of 0.4 s: see needs_long_finals()
constexpr std::size_t kWarmConfigs = 4;   // of each stage, tried before the engines' guesses
constexpr std::size_t kJoins = 4;         // of an implementation, in the finals
constexpr std::size_t kTries = 24;        // pipelines of an implementation that these are chosen from
constexpr std::size_t kPrepareAhead = 8;  // configs that a stage begins with, compiled beside what comes before it

constexpr double kLeastTrials = 8;   // that a stage gets time for …
constexpr double kMostSearch = 0.8;  // … up to this share of the seconds …
constexpr double kOverrun = 0.1;     // … or for this share of them, whatever is left
constexpr double kLeastFinals = 0.15;

/// A search of 28 problems on an H200 from an empty kernel cache took 0.066 s a trial (4337 trials in 285 s,
/// compilation, references and finals included), others 0.03 to 0.06 s. Where a pipeline takes long, so does a trial:
/// of pipelines of 4 to 15 ms at the roofline a stage's took 11 to 13 times that on an H200, as if they ran 6 times at
/// 0.5 of it.
double trial_seconds(const Problem& problem, const Ceilings& ceilings) {
  constexpr double kTrialSeconds = 0.06, kRuns = 6, kPace = 0.5;
  return kTrialSeconds + kRuns / kPace * 1e-6 * roofline_us(pipeline_work(problem, even_load(problem)), ceilings);
}

/// Tunable stages of the implementations, in pipeline order, each once.
std::vector<Stage> stages_wanted(const std::vector<Impl>& impls) {
  std::vector<Stage> stages;
  for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final, Stage::mlp})
    for (const Impl impl : impls) {
      const std::span<const Stage> of_impl = tunable_stages_of(impl);
      if (std::find(of_impl.begin(), of_impl.end(), stage) == of_impl.end()) continue;
      stages.push_back(stage);
      break;
    }
  return stages;
}

SearchSpace space_of(const Engine& engine, Stage stage, const Problem& problem, const DeviceInfo& device,
                     const TuneOptions& options) {
  if (const auto own = options.stage_spaces.find({stage, std::string(engine.name)}); own != options.stage_spaces.end())
    return own->second;
  if (const auto shared = options.spaces.find(std::string(engine.name)); shared != options.spaces.end())
    return shared->second;
  SearchSpace space{.engine = std::string(engine.name), .axes = {}, .presets = {}};
  for (const std::string_view parameter : engine.parameters) {
    SearchSpace::Axis axis{.name = std::string(parameter), .values = {}};
    for (const Config& config : engine.first_configs(stage, problem, device))
      axis.values.push_back(config.at(parameter));
    std::sort(axis.values.begin(), axis.values.end());
    axis.values.erase(std::unique(axis.values.begin(), axis.values.end()), axis.values.end());
    space.axes.push_back(std::move(axis));
  }
  return space;
}

/// A space of the one config that the user pinned; empty, with the reason, where it cannot run.
StageSpace pinned_space(const StageConfig& pinned, Stage stage, const Problem& problem, const DeviceInfo& device,
                        const TuneOptions& options) {
  StageSpace space{.problem = problem, .stage = stage, .device = device};
  for (const Engine* engine : options.engines) {
    if (engine->name != pinned.engine) continue;
    std::optional<std::string> why = engine->why_invalid(pinned.config, stage, problem, device);
    if (engine->backend != device.backend) why = fmt::format("engine {} does not run on {}", engine->name, device.name);
    if (why) {
      ++space.rejected[*why];
      return space;
    }
    space.engines.push_back({.engine = engine, .space = {}});
    space.configs.push_back(pinned);
    space.index.emplace(pinned, 0);
    space.first.push_back(0);
    return space;
  }
  ++space.rejected[fmt::format("engine {} is not among those allowed", pinned.engine)];
  return space;
}

StageSpaces make_spaces(const Problem& problem, const std::vector<Stage>& stages, const DeviceInfo& device,
                        const TuneOptions& options) {
  StageSpaces spaces;
  for (const Stage stage : stages) {
    if (const auto pinned = options.pinned.find(stage); pinned != options.pinned.end()) {
      spaces.emplace(stage, pinned_space(pinned->second, stage, problem, device, options));
      continue;
    }
    std::vector<StageSpace::EngineSpace> engine_spaces;
    for (const Engine* engine : options.engines)
      if (engine->backend == device.backend)
        engine_spaces.push_back({.engine = engine, .space = space_of(*engine, stage, problem, device, options)});
    spaces.emplace(stage, make_stage_space(problem, stage, device, std::move(engine_spaces))).first->second.ceilings =
        options.ceilings;
  }
  return spaces;
}

/// The budget as limits of one problem.
struct Limits {
  double seconds = std::numeric_limits<double>::infinity();
  std::optional<double> trials;        ///< of all stages together
  std::optional<double> stage_trials;  ///< of each stage
  std::optional<double> stage_share;   ///< of each stage's legal configs

  Limits(const std::optional<Budget>& budget, const Effort& effort, const StrategyRow& strategy) {
    if (!budget && strategy.takes_all) {
      stage_share = 1;
    } else if (!budget) {
      seconds = effort.seconds;
      stage_trials = static_cast<double>(effort.trials);
    } else if (budget->kind == Budget::Kind::seconds) {
      seconds = budget->value;
    } else if (budget->kind == Budget::Kind::evaluations) {
      trials = budget->value;
    } else {
      stage_share = budget->value;
    }
  }

  bool has_deadline() const { return std::isfinite(seconds); }

  /// For one stage of `stages_left`, after `used` trials of the stages before it.
  std::optional<std::size_t> trials_of(std::size_t legal, std::size_t used, std::size_t stages_left) const {
    std::optional<double> limit = stage_trials;
    if (stage_share) limit = std::ceil(*stage_share * static_cast<double>(legal));
    if (trials) limit = std::max(0.0, *trials - static_cast<double>(used)) / static_cast<double>(stages_left);
    if (!limit) return std::nullopt;
    return static_cast<std::size_t>(*limit);
  }
};

bool is_searched(Stage stage, const StageSpaces& spaces, const TuneOptions& options) {
  return !options.pinned.contains(stage) && !spaces.at(stage).configs.empty();
}

using WarmStarts = std::map<Stage, WarmStart>;

WarmStarts find_warm_starts(const StageSpaces& spaces, const TuneOptions& options) {
  WarmStarts warm_starts;
  for (const auto& [stage, space] : spaces)
    warm_starts.emplace(stage, nearest_configs(space, options.warm_start, kWarmConfigs));
  return warm_starts;
}

TunePlan make_plan(const Problem& problem, const TuneOptions& options, const StageSpaces& spaces,
                   const WarmStarts& warm_starts, const Limits& limits) {
  TunePlan plan{.stages = {}, .seconds = limits.has_deadline() ? limits.seconds : 0, .strategy = options.strategy};
  std::size_t searched = 0;
  for (const auto& [stage, space] : spaces) searched += is_searched(stage, spaces, options);
  for (const Stage stage : stages_wanted(options.impls)) {
    const StageSpace& space = spaces.at(stage);
    plan.stages.push_back({.stage = stage,
                           .legal = space.configs.size(),
                           .rejected = space.rejected,
                           .trials = limits.trials_of(space.configs.size(), 0, std::max<std::size_t>(searched, 1)),
                           .pinned = options.pinned.contains(stage),
                           .passed_over = warm_starts.at(stage).passed_over});
    if (is_searched(stage, spaces, options))
      plan.attempts += std::min(plan.stages.back().trials.value_or(space.configs.size()),
                                2 * space.configs.size());  // survivors are measured again
  }
  plan.attempts += options.impls.size() * (kTries / 2 + kJoins + 3);
  plan.likely_seconds = likely_seconds(plan, problem, options.ceilings);
  return plan;
}

class Tuning {
 public:
  Tuning(Device& device, const Problem& problem, const TuneOptions& options, TuneEvents& events)
      : problem_(problem),
        options_(options),
        events_(events),
        start_s_(options.clock()),
        strategy_(find_strategy(options.strategy)),
        limits_(options.budget, options.effort, strategy_),
        stages_(stages_wanted(options.impls)),
        spaces_(make_spaces(problem, stages_, device.info(), options)),
        warm_starts_(find_warm_starts(spaces_, options)) {
    events.on_plan(problem, make_plan(problem, options, spaces_, warm_starts_, limits_));
    bench_.emplace(device, problem, options.impls, options, events, start_s_);
    bench_->announce(fresh_data());
  }

  std::vector<Best> run() {
    if (options_.recorded.empty()) prepare_first_guesses();
    for (const Impl impl : options_.impls) {
      if (bench_->should_stop()) return {};
      defaults_.emplace(impl, find_defaults(*bench_, impl, spaces_));
    }
    if (bench_->should_stop()) return {};
    for (const Impl impl : options_.impls)
      if (defaults_.at(impl).working.empty()) fail(impl, defaults_.at(impl).failures, "no default config worked");

    // Not before: the default is the engines' own first guess, whatever else is known.
    for (auto& [stage, space] : spaces_) begin_with(space, warm_starts_.at(stage).candidates);
    search_stages();
    if (bench_->should_stop()) return {};
    return finish();
  }

 private:
  /// Of which the search has seen nothing.
  DataSpec fresh_data() const { return {.fill = Fill::random, .seed = options_.seed + 1}; }

  bool is_alive(Impl impl) const { return !defaults_.at(impl).working.empty(); }

  void fail(Impl impl, const std::map<std::string, std::size_t>& reasons, std::string_view otherwise) {
    const std::string most = most_frequent(reasons);
    events_.on_failure(problem_, impl, most.empty() ? std::string(otherwise) : most);
  }

  /// The best guess of each engine, of which the defaults are, and the warm starts, which come before them in the
  /// search: there, what is prepared comes before what is not. What else the first search begins with is compiled
  /// beside the measuring of the defaults.
  void prepare_first_guesses() {
    std::vector<PipelineConfig> defaults;
    for (const auto& [stage, space] : spaces_) {
      for (const std::size_t candidate : warm_starts_.at(stage).candidates) defaults.push_back(alone(stage, candidate));
      std::set<std::string> engines;
      for (const std::size_t candidate : space.first)
        if (engines.insert(space.configs[candidate].engine).second) defaults.push_back(alone(stage, candidate));
    }
    bench_->prepare(defaults);
    for (const Stage stage : stages_)
      if (is_searched(stage, spaces_, options_)) return bench_->begin_to_prepare(beginning_of(stage));
  }

  /// To be prepared: a stage is compiled by itself.
  PipelineConfig alone(Stage stage, std::size_t candidate) const {
    return {.impl = Impl::merged, .stages = {{stage, spaces_.at(stage).configs[candidate]}}};
  }

  /// What a search of the stage begins with.
  std::vector<PipelineConfig> beginning_of(Stage stage) const {
    const std::vector<std::size_t>& first = spaces_.at(stage).first;
    std::vector<PipelineConfig> configs;
    for (std::size_t i = 0; i < std::min(first.size(), kPrepareAhead); ++i) configs.push_back(alone(stage, first[i]));
    return configs;
  }

  /// What the implementations' defaults are made of.
  std::vector<StageConfig> of_defaults(Stage stage) const {
    std::vector<StageConfig> configs;
    for (const auto& [impl, defaults] : defaults_)
      for (const Default& each : defaults.working)
        if (const auto own = each.config.stages.find(stage); own != each.config.stages.end())
          configs.push_back(own->second);
    return configs;
  }

  /// The quicker of the implementations alive that have the stage.
  const Defaults* host_of(Stage stage) const {
    const Defaults* host = nullptr;
    for (const Impl impl : options_.impls) {
      const std::span<const Stage> of_impl = tunable_stages_of(impl);
      if (!is_alive(impl) || std::find(of_impl.begin(), of_impl.end(), stage) == of_impl.end()) continue;
      const Defaults& defaults = defaults_.at(impl);
      if (!host || defaults.working.front().median_us < host->working.front().median_us) host = &defaults;
    }
    return host;
  }

  void search_stages() {
    std::vector<Stage> to_search;
    for (const Stage stage : stages_)
      if (!options_.pinned.contains(stage) && host_of(stage)) to_search.push_back(stage);
    std::size_t trials = 0;
    for (std::size_t i = 0; i < to_search.size(); ++i) {
      if (bench_->should_stop() || device_lost_) return;
      const Stage stage = to_search[i];
      const Defaults& host = *host_of(stage);
      const StageSpace& space = spaces_.at(stage);
      const std::size_t stages_left = to_search.size() - i;
      const double now = bench_->now();
      std::optional<double> deadline;
      if (limits_.has_deadline()) {
        const double share = (start_s_ + search_share() * limits_.seconds - now) / static_cast<double>(stages_left);
        // Whatever the stages before it took: the best of the engine's first guesses is worth more than long finals,
        // and than keeping to the second, but finals of two rounds choose nothing.
        const double before_finals = start_s_ + kMostSearch * limits_.seconds - now;
        const double least = std::min(kLeastTrials * trial_seconds(problem_, options_.ceilings),
                                      std::max(before_finals, kOverrun * limits_.seconds));
        deadline = now + std::max({share, least, 0.0});
      }
      const std::optional<std::size_t> limit = limits_.trials_of(space.configs.size(), trials, stages_left);
      Meter meter(limit, deadline,
                  bench_->seconds() / static_cast<double>(std::max<std::size_t>(bench_->reported(), 1)),
                  [this] { return bench_->now(); });
      const std::size_t to_come = (stages_left - 1) * std::min(meter.allowance(1).left, space.configs.size()) +
                                  options_.impls.size() * (kJoins + 1);
      const std::unique_ptr<Strategy> strategy = strategy_.make(space, options_.seed);
      std::vector<PipelineConfig> comes_next;
      if (stages_left > 1) comes_next = beginning_of(to_search[i + 1]);
      StageResult result = search_stage(*bench_, stage, space, host, *strategy, meter, to_come, comes_next);
      trials += meter.trials();
      device_lost_ = result.device_lost;
      lost_reason_ = most_frequent(result.failures);
      leaders_[stage] = pick_leaders(space, result.board, of_defaults(stage));
    }
  }

  std::vector<Best> finish() {
    if (device_lost_) {
      for (const Impl impl : options_.impls)
        if (is_alive(impl))
          events_.on_failure(problem_, impl, "the device does not work any more after a fault; " + lost_reason_);
      return {};
    }
    std::vector<std::pair<Impl, std::vector<Finalist>>> finalists;
    for (const Impl impl : options_.impls) {
      if (!is_alive(impl)) continue;
      const Defaults& defaults = defaults_.at(impl);
      StageLeaders leaders;
      for (const Stage stage : tunable_stages_of(impl)) {
        leaders[stage] = leaders_[stage];
        if (leaders[stage].empty()) leaders[stage].emplace_back(defaults.working.front().config.stages.at(stage), 0.0);
      }
      finalists.emplace_back(
          impl, join_leaders(*bench_, impl, defaults, leaders, join_limits(defaults.working.front().median_us)));
      if (bench_->should_stop()) return {};
    }
    if (finalists.empty()) return {};
    std::optional<double> seconds;
    // Whatever the search took: finals of two rounds choose nothing.
    if (limits_.has_deadline()) seconds = std::max(kLeastFinals * limits_.seconds, limits_.seconds - bench_->seconds());
    FinalsResult result = run_finals(*bench_, finalists, fresh_data(), seconds);
    if (bench_->should_stop()) return std::move(result.best);
    for (const auto& [finals_impl, unused] : finalists) {
      const Impl impl = finals_impl;  // clang 14 cannot capture a structured binding
      if (std::none_of(result.best.begin(), result.best.end(),
                       [&](const Best& best) { return best.config.impl == impl; }))
        fail(impl, result.failures[impl], "no finalist worked");
    }
    return std::move(result.best);
  }

  double search_share() const { return needs_long_finals() ? kShortSearch : kSearchShare; }

  /// Where replays may meet the power limit, at other moments in every round, it takes six rounds of four candidates to
  /// tell a lead of 5 % from that: 10 seconds. A GPU that waits for memory half of the time stays below the limit.
  bool needs_long_finals() const {
    const Work work = pipeline_work(problem_, even_load(problem_));
    return options_.timing.load == LoadState::replays && bench_->settle_seconds() > 0 &&
           work.flops / options_.ceilings.matrix_flops_per_s > 0.5 * work.bytes / options_.ceilings.read_bytes_per_s;
  }

  /// What the time left allows: little where a few runs of a pipeline take seconds. Half of what the finals can spare
  /// goes to choosing who takes part.
  JoinLimits join_limits(double pipeline_us) const {
    if (!limits_.has_deadline()) return {.finalists = kJoins, .tries = kTries, .seconds = {}};
    const double impls = static_cast<double>(options_.impls.size());
    const double left_s = std::max(0.0, limits_.seconds - bench_->seconds());
    // Few who are told apart are worth more than many of which none can be told from the default: a finalist takes 12
    // runs: verification, warm-up and nine rounds.
    constexpr double kRunsEach = 12;
    const double each_s = kRunsEach * pipeline_us * 1e-6 * impls / kFinalsShare;
    const double spare_s = std::max(0.0, left_s - kLeastFinals * limits_.seconds) / 2 / impls;
    // All is compiled: that and the references are most of what a trial takes (H200, 36 tunings of qwen3-30b-a3b: a try
    // took 0.012 to 0.045 s, 0.02 on average, where a trial is taken for 0.06).
    const double tries = spare_s / (trial_seconds(problem_, options_.ceilings) / 3);
    return {.finalists = static_cast<std::size_t>(
                std::clamp(left_s / std::max(each_s, 1e-6) - 1, 1.0, static_cast<double>(kJoins))),
            .tries = static_cast<std::size_t>(std::min(tries, static_cast<double>(kTries))),
            .seconds = spare_s};
  }

  const Problem& problem_;
  const TuneOptions& options_;
  TuneEvents& events_;
  double start_s_;
  const StrategyRow& strategy_;
  Limits limits_;
  std::vector<Stage> stages_;
  StageSpaces spaces_;
  WarmStarts warm_starts_;
  std::optional<Workbench> bench_;
  std::map<Impl, Defaults> defaults_;
  StageLeaders leaders_;
  bool device_lost_ = false;
  std::string lost_reason_;
};

}  // namespace

double likely_seconds(const TunePlan& plan, const Problem& problem, const Ceilings& ceilings) {
  const double all = static_cast<double>(plan.attempts) * trial_seconds(problem, ceilings);
  return plan.seconds > 0 ? std::min(plan.seconds, all) : all;
}

TunePlan plan_problem(const DeviceInfo& device, const Problem& problem, const TuneOptions& options) {
  const StageSpaces spaces = make_spaces(problem, stages_wanted(options.impls), device, options);
  const Limits limits(options.budget, options.effort, find_strategy(options.strategy));
  return make_plan(problem, options, spaces, find_warm_starts(spaces, options), limits);
}

std::vector<Best> tune_problem(Device& device, const Problem& problem, const TuneOptions& options, TuneEvents& events) {
  return Tuning(device, problem, options, events).run();
}

}  // namespace moetune
