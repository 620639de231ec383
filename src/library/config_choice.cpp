#include "library/config_choice.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "base/error.h"
#include "kernel/engine.h"
#include "results/staleness.h"
#include "search/buckets.h"
#include "search/prior.h"

namespace moetune {
namespace {

/// A config with the M that it is best at.
struct Anchor {
  std::int64_t M = 1;
  PipelineConfig config;
  std::string why;
};

bool has_same_sizes(const Problem& a, const Problem& b) {
  return std::tie(a.K, a.N1, a.N2, a.E, a.topk) == std::tie(b.K, b.N1, b.N2, b.E, b.topk);
}

/// In what `tuned` is another problem than the one wanted; empty where it is the same. The routing is the caller's
/// data: uniform stands for what is not known.
std::vector<std::string> differences(const Problem& tuned, const Problem& wanted) {
  std::vector<std::string> all;
  if (tuned.dtype != wanted.dtype) all.emplace_back(to_string(tuned.dtype));
  if (tuned.activation != wanted.activation) all.emplace_back(to_string(tuned.activation));
  if (tuned.bias != wanted.bias) all.push_back(fmt::format("bias {}", to_string(tuned.bias)));
  if (tuned.ep_ranks != wanted.ep_ranks) all.push_back(fmt::format("{} ranks", tuned.ep_ranks));
  if (tuned.weight_on_input != wanted.weight_on_input)
    all.emplace_back(tuned.weight_on_input ? "weights on the input" : "weights on the output");
  if (tuned.routing.kind != RoutingSpec::Kind::uniform)
    all.push_back(fmt::format("routing {}", to_string(tuned.routing)));
  return all;
}

std::optional<std::string> why_illegal(const PipelineConfig& config, const Problem& problem, const DeviceInfo& device) {
  for (const auto& [stage, chosen] : config.stages) {
    const auto table = engines();
    const auto engine = std::ranges::find(table, chosen.engine, &Engine::name);
    if (engine == table.end()) return fmt::format("there is no engine '{}'", chosen.engine);
    if (!runs_on(*engine, device)) return fmt::format("{} does not run on {}", chosen.engine, device.name);
    if (auto why = engine->why_invalid(chosen.config, stage, problem, device)) return why;
  }
  return std::nullopt;
}

bool is_refused(const PipelineConfig& config, const RefusedConfigs& refused) {
  return std::any_of(config.stages.begin(), config.stages.end(),
                     [&](const auto& stage) { return refused.contains(stage); });
}

std::string describe(const TunedConfig& tuned, const Problem& problem, const Environment& here) {
  const Best& best = tuned.file.best;
  std::string text = fmt::format("tuned at M={}: {:.2f} us in {}", best.problem.M, best.time.median_us, tuned.name);
  if (const auto others = differences(best.problem, problem); !others.empty())
    text += fmt::format("; measured with {}", fmt::join(others, ", "));
  if (const auto stale = why_stale(best, tuned.file.environment, here); !stale.empty())
    text += fmt::format("; may be stale: {}", fmt::join(stale, ", "));
  return text;
}

std::vector<Anchor> tuned_anchors(const Problem& problem, std::span<const Impl> impls,
                                  std::span<const TunedConfig> tuned, const Environment& here,
                                  const RefusedConfigs& refused) {
  struct Candidate {
    const TunedConfig* tuned;
    std::size_t differences;
    double us;
  };
  std::map<std::int64_t, Candidate> by_M;
  for (const TunedConfig& each : tuned) {
    const Best& best = each.file.best;
    if (!has_same_sizes(best.problem, problem) || each.file.environment.device.name != here.device.name) continue;
    if (std::find(impls.begin(), impls.end(), best.config.impl) == impls.end()) continue;
    Problem at = problem;
    at.M = best.problem.M;
    if (is_refused(best.config, refused) || why_illegal(best.config, at, here.device)) continue;
    const Candidate candidate{&each, differences(best.problem, problem).size(), best.time.median_us};
    const auto [known, is_new] = by_M.try_emplace(best.problem.M, candidate);
    if (!is_new &&
        std::tie(candidate.differences, candidate.us) < std::tie(known->second.differences, known->second.us))
      known->second = candidate;
  }
  std::vector<Anchor> anchors;
  for (const auto& [M, candidate] : by_M)
    anchors.push_back(
        {.M = M, .config = candidate.tuned->file.best.config, .why = describe(*candidate.tuned, problem, here)});
  return anchors;
}

/// The engines' first guesses for a stage, the most promising first.
std::vector<StageConfig> guesses(const Problem& problem, Stage stage, const DeviceInfo& device) {
  StageSpace space{.problem = problem, .stage = stage, .device = device};
  std::vector<const Engine*> likeliest = engines_on(device);
  std::stable_sort(likeliest.begin(), likeliest.end(),
                   [&](const Engine* a, const Engine* b) { return is_likelier(*a, *b, problem); });
  for (const Engine* engine : likeliest) {
    space.engines.push_back({.engine = engine, .space = {}});
    for (Config& config : engine->first_configs(stage, problem, device))
      space.configs.push_back({.engine = std::string(engine->name), .config = std::move(config)});
  }
  const std::vector<Prior> prior = priors(space);
  std::vector<std::size_t> order(space.configs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return prior[a].us < prior[b].us; });
  std::vector<StageConfig> sorted;
  for (const std::size_t i : order) sorted.push_back(std::move(space.configs[i]));
  return sorted;
}

Anchor guessed_anchor(Problem problem, std::int64_t M, Impl impl, const Environment& here,
                      const RefusedConfigs& refused) {
  problem.M = M;
  Anchor anchor{.M = M, .config = {.impl = impl, .stages = {}}, .why = "a guess: nothing was tuned for these sizes"};
  for (const Stage stage : tunable_stages_of(impl)) {
    const std::vector<StageConfig> all = guesses(problem, stage, here.device);
    const auto found = std::find_if(all.begin(), all.end(), [&](const StageConfig& each) {
      return !refused.contains({stage, each});
    });
    if (found == all.end()) {
      const std::string why = refused.empty() ? "" : fmt::format(", e.g. {}", refused.begin()->second);
      throw Error(fmt::format("no engine on {} computes {} of {}{}", here.device.name, to_string(stage),
                              to_line(problem), why));
    }
    anchor.config.stages.emplace(stage, *found);
  }
  return anchor;
}

/// Each anchor's range up to `most` tokens, those without a token left out. Anchors whose config is not legal in all of
/// its range are erased and leave it to their neighbours.
std::vector<ConfigRange> ranges_of(std::vector<Anchor> anchors, const Problem& problem, const DeviceInfo& device) {
  std::vector<ConfigRange> ranges;
  for (std::size_t i = 0; i < anchors.size();) {
    const std::int64_t from = ranges.empty() ? 1 : ranges.back().to + 1;
    const std::int64_t to =
        i + 1 == anchors.size() ? problem.M : std::min(problem.M, last_nearer(anchors[i].M, anchors[i + 1].M));
    Problem at = problem;
    at.M = to;
    if (from <= to && why_illegal(anchors[i].config, at, device)) {
      anchors.erase(anchors.begin() + static_cast<std::ptrdiff_t>(i));
      return ranges_of(std::move(anchors), problem, device);
    }
    if (from <= to) ranges.push_back({.from = from, .to = to, .config = anchors[i].config, .why = anchors[i].why});
    ++i;
  }
  return ranges;
}

}  // namespace

std::vector<ConfigRange> choose_configs(const Problem& problem, std::span<const Impl> impls,
                                        std::span<const TunedConfig> tuned, const Environment& here,
                                        const RefusedConfigs& refused) {
  std::vector<ConfigRange> ranges =
      ranges_of(tuned_anchors(problem, impls, tuned, here, refused), problem, here.device);
  if (!ranges.empty()) return ranges;
  std::vector<Anchor> anchors;
  for (std::int64_t M = 1; M < 2 * problem.M; M *= 2)
    anchors.push_back(guessed_anchor(problem, std::min(M, problem.M), impls.front(), here, refused));
  for (ConfigRange& range : ranges_of(std::move(anchors), problem, here.device)) {
    if (!ranges.empty() && ranges.back().config == range.config)
      ranges.back().to = range.to;
    else
      ranges.push_back(std::move(range));
  }
  if (ranges.empty()) throw Error(fmt::format("no engine on {} computes {}", here.device.name, to_line(problem)));
  return ranges;
}

}  // namespace moetune
