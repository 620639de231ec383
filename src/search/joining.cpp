#include "search/joining.h"

#include <algorithm>
#include <tuple>

namespace moetune {
namespace {

constexpr std::size_t kBest = 3;         // leaders of a stage, whatever their shape …
constexpr std::size_t kMostLeaders = 8;  // … and in all
constexpr double kHopeless = 1.15;       // times the best alone: no overlap makes up for that
constexpr std::size_t kRegrouped = 3;    // leaders of each stage that are tried with each other at last
constexpr std::size_t kCrossed = 2;  // leaders of each stage that are tried with the default's of the others at first
constexpr std::size_t kLeastTries = 4;
constexpr double kFirstTries = 0.6;  // share of the tries that leaves some for those
constexpr double kFarBehind = 1.25;  // a screened default: in the finals it would take others' rounds
constexpr int kRounds = 3;

/// What a kernel takes of a multiprocessor.
using LaunchShape = std::tuple<int, int, int, int, int>;

LaunchShape launch_shape(const StageSpace& space, const StageConfig& config) {
  const auto own = std::find_if(space.engines.begin(), space.engines.end(), [&](const StageSpace::EngineSpace& each) {
    return each.engine->name == config.engine;
  });
  if (!own->engine->kernel_plan) return {};
  const KernelPlan plan = own->engine->kernel_plan(config.config, space.stage, space.problem, false);
  return {plan.threads, plan.shared_bytes, plan.columns, plan.block_m, plan.blocks_per_sm};
}

/// Pipelines of the stages' leaders, by the sum of their times alone, of those that `take` accepts: it is asked with
/// each leader's rank.
template <class Take>
std::vector<PipelineConfig> combine(Impl impl, const StageLeaders& leaders, const Take& take) {
  struct Combination {
    double us = 0;
    PipelineConfig config;
    std::vector<std::size_t> ranks;
  };
  std::vector<Combination> combinations{{.config = {.impl = impl, .stages = {}}, .ranks = {}}};
  for (const Stage stage : tunable_stages_of(impl)) {
    std::vector<Combination> longer;
    for (const Combination& combination : combinations)
      for (std::size_t rank = 0; rank < leaders.at(stage).size(); ++rank) {
        const auto& [leader, us] = leaders.at(stage)[rank];
        longer.push_back(combination);
        longer.back().us += us;
        longer.back().config.stages[stage] = leader;
        longer.back().ranks.push_back(rank);
      }
    combinations = std::move(longer);
  }
  std::erase_if(combinations, [&](const Combination& each) { return !take(each.ranks); });
  std::stable_sort(combinations.begin(), combinations.end(),
                   [](const Combination& a, const Combination& b) { return a.us < b.us; });
  std::vector<PipelineConfig> configs;
  for (Combination& each : combinations) configs.push_back(std::move(each.config));
  return configs;
}

bool contains(const std::vector<PipelineConfig>& configs, const PipelineConfig& config) {
  return std::find(configs.begin(), configs.end(), config) != configs.end();
}

bool is_default(const Defaults& defaults, const PipelineConfig& config) {
  return std::any_of(defaults.working.begin(), defaults.working.end(),
                     [&](const Default& each) { return each.config == config; });
}

/// Measures whole pipelines and remembers what came out.
class Joining {
 public:
  Joining(Workbench& bench, const JoinLimits& limits) : bench_(bench), limits_(limits) {}

  /// In common rounds, up to `most` and as many as there are tries left. Where one trial of an earlier run is missing,
  /// all are made again: only together their times mean something.
  void measure(std::vector<PipelineConfig> configs, std::size_t most) {
    configs.resize(std::min({configs.size(), most, limits_.tries - std::min(limits_.tries, tried_.size())}));
    if (configs.empty()) return;
    tried_.insert(tried_.end(), configs.begin(), configs.end());
    ++rung_;
    bench_.prepare(configs);
    const bool is_known = std::all_of(configs.begin(), configs.end(), [&](const auto& each) { return recall(each); });
    std::vector<Attempt> attempts;
    for (const PipelineConfig& config : configs) {
      if (bench_.should_stop()) return;
      if (const Trial* known = recall(config); known && (is_known || known->outcome != Outcome::ok)) {
        bench_.adopt(*known);
        if (known->time) times_.emplace_back(known->time->median_us, config);
        continue;
      }
      Attempt attempt = bench_.attempt(config, Trial::Phase::screen, std::nullopt, rung_);
      if (attempt.is_verified())
        attempts.push_back(std::move(attempt));
      else
        bench_.report(attempt);
    }
    if (attempts.empty()) return;
    std::vector<Candidate> candidates;
    for (const Attempt& attempt : attempts) candidates.push_back({.pipeline = *attempt.verified});
    SamplingRule rule = screening(1, bench_.settle_seconds());
    if (limits_.seconds)
      rule =
          shortened(rule, *limits_.seconds * static_cast<double>(attempts.size()) / static_cast<double>(limits_.tries),
                    attempts.size(), kRounds);
    const std::vector<Result<Measurement>> measured = bench_.sample(candidates, kRounds, rule);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      bench_.report(attempts[i], measured[i]);
      if (measured[i]) times_.emplace_back(measured[i].value().time.median_us, attempts[i].trial.config);
    }
  }

  const std::vector<PipelineConfig>& tried() const { return tried_; }
  /// Those that work, best first.
  std::vector<PipelineConfig> ranked() {
    std::stable_sort(times_.begin(), times_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<PipelineConfig> configs;
    for (const auto& [us, config] : times_) configs.push_back(config);
    return configs;
  }

 private:
  const Trial* recall(const PipelineConfig& config) const {
    return bench_.recall(config, Trial::Phase::screen, std::nullopt, rung_);
  }

  Workbench& bench_;
  JoinLimits limits_;
  int rung_ = 0;  ///< 0 is the defaults' own
  std::vector<PipelineConfig> tried_;
  std::vector<std::pair<double, PipelineConfig>> times_;
};

/// Pipelines of the default's stages and the best others' that have some of either. Which kernels go well together
/// their times alone do not tell, and the default's are known to: at mixtral-8x7b, tp 8, M = 16 a gate 7 % behind its
/// leader by itself is part of the best pipeline (H200, 89.5 us; 91.5 with the default's second GEMM, 91.4 with the
/// best other gate).
std::vector<PipelineConfig> crosses(Impl impl, const PipelineConfig& config, const StageLeaders& all) {
  StageLeaders leaders;
  const auto is_own = [&](Stage stage, const StageConfig& each) { return each == config.stages.at(stage); };
  for (const Stage stage : tunable_stages_of(impl)) {
    std::size_t others = 0;
    for (const auto& leader : all.at(stage))
      if (is_own(stage, leader.first) || others++ < kCrossed) leaders[stage].push_back(leader);
  }
  std::vector<PipelineConfig> configs = combine(impl, leaders, [](const auto&) { return true; });
  std::erase_if(configs, [&](const PipelineConfig& each) {
    return std::none_of(each.stages.begin(), each.stages.end(),
                        [&](const auto& stage) { return is_own(stage.first, stage.second); });
  });
  return configs;
}

/// The first configs of each stage that occur in `ranked`, in its order.
StageLeaders leaders_in(Impl impl, const std::vector<PipelineConfig>& ranked, const StageLeaders& all) {
  StageLeaders leaders;
  for (const Stage stage : tunable_stages_of(impl))
    for (const PipelineConfig& pipeline : ranked) {
      std::vector<std::pair<StageConfig, double>>& of_stage = leaders[stage];
      const auto has = [&](const auto& leader) { return leader.first == pipeline.stages.at(stage); };
      if (of_stage.size() == kRegrouped) break;
      if (std::none_of(of_stage.begin(), of_stage.end(), has))
        of_stage.push_back(*std::find_if(all.at(stage).begin(), all.at(stage).end(), has));
    }
  return leaders;
}

}  // namespace

std::vector<std::pair<StageConfig, double>> pick_leaders(const StageSpace& space, const Scoreboard& board,
                                                         std::span<const StageConfig> known) {
  std::vector<std::pair<StageConfig, double>> leaders;
  std::vector<LaunchShape> shapes;
  for (const std::size_t candidate : board.ranked()) {
    const double us = board.at(candidate).median_us;
    if (leaders.size() >= kBest && us > kHopeless * leaders.front().second) break;
    const StageConfig& config = space.configs[candidate];
    const LaunchShape shape = launch_shape(space, config);
    const bool is_new = std::find(shapes.begin(), shapes.end(), shape) == shapes.end();
    const bool is_known = std::find(known.begin(), known.end(), config) != known.end();
    const bool has_room = leaders.size() < kMostLeaders && is_new;
    if (leaders.size() >= kBest && !has_room && !is_known) continue;
    leaders.emplace_back(config, us);
    shapes.push_back(shape);
  }
  return leaders;
}

std::vector<Finalist> join_leaders(Workbench& bench, Impl impl, const Defaults& defaults, const StageLeaders& leaders,
                                   const JoinLimits& limits) {
  const auto any = [](const std::vector<std::size_t>&) { return true; };
  const auto all_but_one_lead = [](const std::vector<std::size_t>& ranks) {
    return std::count(ranks.begin(), ranks.end(), 0u) + 1 >= static_cast<std::ptrdiff_t>(ranks.size());
  };
  Joining joining(bench, limits);
  const auto measure_new = [&](std::vector<PipelineConfig> configs, std::size_t most) {
    std::erase_if(configs, [&](const PipelineConfig& each) {
      return contains(joining.tried(), each) || is_default(defaults, each);
    });
    joining.measure(std::move(configs), most);
  };
  if (limits.tries >= kLeastTries && tunable_stages_of(impl).size() > 1) {
    const auto first_tries =
        std::max(kLeastTries, static_cast<std::size_t>(kFirstTries * static_cast<double>(limits.tries)));
    measure_new(crosses(impl, defaults.working.front().config, leaders), first_tries);
    measure_new(combine(impl, leaders, all_but_one_lead), first_tries - joining.tried().size());
    if (const std::vector<PipelineConfig> ranked = joining.ranked(); !ranked.empty())
      measure_new(combine(impl, leaders_in(impl, ranked, leaders), any), limits.tries);
    measure_new(combine(impl, leaders, any), limits.tries);
  }

  std::vector<PipelineConfig> candidates = joining.ranked();
  for (const PipelineConfig& each : combine(impl, leaders, any))
    if (!contains(joining.tried(), each)) candidates.push_back(each);

  std::vector<Finalist> finalists;
  const auto add = [&](const PipelineConfig& config) {
    for (const Finalist& known : finalists)
      if (known.config == config) return;
    finalists.push_back({.config = config, .is_default = finalists.empty()});
  };
  double fastest_us = defaults.working.front().median_us;
  for (const Default& each : defaults.working) fastest_us = std::min(fastest_us, each.median_us);
  for (const Default& each : defaults.working)
    if (finalists.empty() || each.median_us <= kFarBehind * fastest_us) add(each.config);
  const std::size_t most = finalists.size() + limits.finalists;
  for (const PipelineConfig& each : candidates)
    if (finalists.size() < most) add(each);
  return finalists;
}

}  // namespace moetune
