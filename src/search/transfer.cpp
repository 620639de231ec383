#include "search/transfer.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "search/common_rounds.h"

namespace moetune {
namespace {

constexpr int kTransferRounds = 9;    // as in the finals: enough pairs for an interval of their ratio
constexpr double kLoadSeconds = 0.5;  // to load a problem and compute its references, about
constexpr std::string_view kPhase = "configs of other M";

/// The fastest of each M that is served as `impl`, for problems like `problem`.
std::map<std::int64_t, const Best*> fastest_by_M(const Problem& problem, Impl impl, std::span<const Best> bests) {
  std::map<std::int64_t, const Best*> fastest;
  for (const Best& best : bests) {
    if (served_as(best.config.impl) != impl || !is_same_family(best.problem, problem)) continue;
    const Best*& known = fastest[best.problem.M];
    if (!known || best.time.median_us < known->time.median_us) known = &best;
  }
  return fastest;
}

bool is_within_reach(std::int64_t a, std::int64_t b) {
  return std::max(a, b) <= kTransferReach * std::min(a, b);
}

/// In the order of the winners, each config once.
std::vector<PipelineConfig> distinct_configs(std::span<const Winner> winners) {
  std::vector<PipelineConfig> configs;
  for (const Winner& winner : winners)
    if (std::find(configs.begin(), configs.end(), winner.config) == configs.end()) configs.push_back(winner.config);
  return configs;
}

/// What is lost with `other` in place of `own`; of so many draws of the routing.
Transfer compare_with_own(const Winner& winner, std::int64_t M, const Tried& own, const Tried& other, int draws) {
  Transfer transfer{.impl = winner.config.impl, .tuned_M = winner.M, .M = M};
  if (!own.measured) {
    transfer.reason = fmt::format("nothing to compare with: the best config of M={} itself: {}", M,
                                  to_string(own.measured.failure()));
  } else if (!other.measured) {
    transfer.reason = to_string(other.measured.failure());
  } else {
    const Ratio slower =
        speedup(own.measured.value().round_medians(draws), other.measured.value().round_medians(draws), draws);
    transfer.regret = {.value = slower.value - 1, .low = slower.low - 1, .high = slower.high - 1};
  }
  return transfer;
}

}  // namespace

bool is_same_family(const Problem& a, const Problem& b) {
  Problem at = a;
  at.M = b.M;
  return at == b;
}

Impl served_as(Impl impl) {
  return impl == Impl::merged_single ? Impl::merged : impl;
}

std::vector<Winner> winners_near(const Problem& problem, std::span<const Best> bests) {
  std::vector<Winner> winners;
  for (const Impl impl : {Impl::three_kernel, Impl::merged}) {
    const std::map<std::int64_t, const Best*> fastest = fastest_by_M(problem, impl, bests);
    if (!fastest.contains(problem.M)) continue;
    std::vector<PipelineConfig> configs;  // within reach
    for (const auto& [M, best] : fastest)
      if (is_within_reach(M, problem.M)) configs.push_back(best->config);
    if (configs.size() < 2) continue;
    for (const auto& [M, best] : fastest)
      if (std::find(configs.begin(), configs.end(), best->config) != configs.end())
        winners.push_back({.M = M, .config = best->config});
  }
  return winners;
}

double likely_transfer_seconds(const Problem& problem, std::size_t configs, const Ceilings& ceilings) {
  return kLoadSeconds + likely_seconds({.attempts = configs}, problem, ceilings);
}

std::vector<Transfer> measure_transfers(Device& device, const Problem& problem, std::span<const Winner> winners,
                                        const TuneOptions& options, TuneEvents& events) {
  std::map<Impl, PipelineConfig> own;
  std::map<Impl, std::vector<Winner>> by_impl;
  for (const Winner& winner : winners) {
    if (winner.M == problem.M) own.emplace(served_as(winner.config.impl), winner.config);
    by_impl[served_as(winner.config.impl)].push_back(winner);
  }
  // Where all M have one config there is nothing to measure.
  std::vector<PipelineConfig> configs;
  std::vector<Impl> impls;
  for (const auto& [impl, of_impl] : by_impl) {
    const std::vector<PipelineConfig> distinct = distinct_configs(of_impl);
    if (distinct.size() < 2) continue;
    for (const PipelineConfig& config : distinct) {
      configs.push_back(config);
      if (std::find(impls.begin(), impls.end(), config.impl) == impls.end()) impls.push_back(config.impl);
    }
  }

  std::map<PipelineConfig, Tried> tried;
  if (!configs.empty()) {
    TuneOptions fresh = options;
    ++fresh.seed;  // as for the times that are reported, of which the search has seen nothing
    Workbench bench(device, problem, impls, fresh, events, options.clock());
    std::optional<std::vector<Tried>> all =
        try_in_common_rounds(bench, configs, kTransferRounds, finals(bench.settle_seconds()), kPhase);
    if (!all) return {};
    for (std::size_t i = 0; i < configs.size(); ++i) tried.emplace(configs[i], std::move((*all)[i]));
  }

  std::vector<Transfer> transfers;
  const int draws = draws_of(problem, options.timing);
  for (const Winner& winner : winners) {
    if (winner.M == problem.M) continue;
    const PipelineConfig& best = own.at(served_as(winner.config.impl));
    if (winner.config == best) {
      const Transfer none{.impl = winner.config.impl, .tuned_M = winner.M, .M = problem.M, .regret = Regret{}};
      transfers.push_back(none);
    } else {
      transfers.push_back(compare_with_own(winner, problem.M, tried.at(best), tried.at(winner.config), draws));
    }
  }
  return transfers;
}

}  // namespace moetune
