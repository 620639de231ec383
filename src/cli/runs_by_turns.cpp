#include "cli/runs_by_turns.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "cli/interrupt.h"
#include "compare/side.h"
#include "results/journal.h"
#include "search/common_rounds.h"

namespace moetune {
namespace {

struct StoppedByUser final : TuneEvents {
  bool should_stop() override { return InterruptGuard::interrupted(); }
};

/// Of run `run`: a round of each draw of the routing, of which some take longer than others.
Summary summarise_run(const Measurement& measured, std::size_t run, std::size_t draws) {
  Summary summary = summarise_draws(std::span(measured.rounds_us).subspan(run * draws, draws), static_cast<int>(draws));
  summary.stopped_by = measured.time.stopped_by;
  summary.sm_clock_mhz = measured.time.sm_clock_mhz;
  summary.slowed_by = measured.time.slowed_by;
  return summary;
}

}  // namespace

/// A config of one side, and what came of it.
struct RunsByTurns::Entry {
  const ConfigSide* side;
  const Problem* problem;
  PipelineConfig config;
  Tried tried;
  std::size_t draws;  ///< of the routing
  std::size_t runs;   ///< that all configs of the problem have which work
  DataSpec data;
  Load load;
};

RunsByTurns::RunsByTurns(ConfigSide base, ConfigSide head, Device& device, TuneOptions options,
                         std::vector<std::string> command, Log log)
    : base_(std::move(base)),
      head_(std::move(head)),
      device_(device),
      options_(std::move(options)),
      command_(std::move(command)),
      log_(std::move(log)) {}

std::vector<Problem> RunsByTurns::problems(const IsWanted& is_wanted) const {
  std::vector<Problem> all;
  for (const ConfigSide* side : {&base_, &head_})
    for (const Best& row : side->rows) {
      const auto is_same = [&](const Problem& known) { return without_label(known) == without_label(row.problem); };
      if (is_wanted(row.problem) && std::none_of(all.begin(), all.end(), is_same)) all.push_back(row.problem);
    }
  return all;
}

bool RunsByTurns::measure(const Problem& problem, int pairs, std::vector<Entry>& entries) {
  std::vector<Impl> impls;
  std::vector<std::pair<const ConfigSide*, PipelineConfig>> configs;
  for (const ConfigSide* side : {&base_, &head_})
    for (const Best& row : side->rows) {
      if (without_label(row.problem) != without_label(problem)) continue;
      configs.emplace_back(side, row.config);
      if (std::find(impls.begin(), impls.end(), row.config.impl) == impls.end()) impls.push_back(row.config.impl);
    }
  std::vector<PipelineConfig> to_try;
  for (const auto& [side, config] : configs) to_try.push_back(config);

  StoppedByUser events;
  Workbench bench(device_, problem, impls, options_, events, options_.clock());
  const int rounds = pairs * bench.draws();
  SamplingRule rule = options_.timing.load == LoadState::replays ? replays(rounds) : finals(device_.settle_seconds());
  rule.least_rounds = rounds;  // a pair that one of them lacks is none
  auto tried = try_in_common_rounds(bench, to_try, rounds, rule, "by turns");
  if (!tried) return false;
  const auto draws = static_cast<std::size_t>(bench.draws());
  std::size_t runs = std::numeric_limits<std::size_t>::max();
  for (const Tried& each : *tried)
    if (each.measured) runs = std::min(runs, each.measured.value().rounds_us.size() / draws);
  for (std::size_t i = 0; i < configs.size(); ++i)
    entries.push_back({.side = configs[i].first,
                       .problem = &problem,
                       .config = std::move(configs[i].second),
                       .tried = std::move((*tried)[i]),
                       .draws = draws,
                       .runs = runs,
                       .data = bench.data(),
                       .load = bench.load()});
  return true;
}

void RunsByTurns::write(std::span<const Entry> entries, const ConfigSide& side) const {
  const Environment environment = describe_environment(device_.info(), options_.ceilings, command_);
  std::size_t runs = 1;  // where nothing worked there is one that says why
  for (const Entry& entry : entries)
    if (entry.tried.measured) runs = std::max(runs, entry.runs);
  for (std::size_t run = 0; run < runs; ++run) {
    JournalWriter journal(side.journal, environment);
    for (const Entry& entry : entries) {
      if (entry.side != &side) continue;
      if (!entry.tried.measured) {
        const Failure& failure = entry.tried.measured.failure();
        journal.add(Trial{.problem = *entry.problem,
                          .phase = Trial::Phase::final,
                          .stage = {},
                          .config = entry.config,
                          .data = entry.data,
                          .timing = options_.timing,
                          .outcome = failure.outcome,
                          .reason = failure.reason,
                          .verdict = entry.tried.verdict,
                          .time = {}});
        continue;
      }
      const Measurement& measured = entry.tried.measured.value();
      if (run < entry.runs)
        journal.add(describe_best(*entry.problem, entry.config, entry.data, options_.timing, entry.load,
                                  options_.ceilings, summarise_run(measured, run, entry.draws),
                                  entry.tried.verdict.value()));
    }
  }
}

void RunsByTurns::add_pairs(int pairs, const IsWanted& is_wanted) {
  const std::vector<Problem> wanted = problems(is_wanted);
  std::vector<Entry> entries;
  for (const Problem& problem : wanted) {
    log_(fmt::format("{}: {} pairs", to_line(problem), pairs));
    if (!measure(problem, pairs, entries)) break;
  }
  if (InterruptGuard::interrupted()) return;
  for (const ConfigSide* side : {&base_, &head_}) write(entries, *side);
  pairs_ += pairs;
}

}  // namespace moetune
