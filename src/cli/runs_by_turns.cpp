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

/// A problem, and what came of the configs that the sides have for it.
struct RunsByTurns::Measured {
  const Problem* problem;
  DataSpec data;
  Load load;
  std::size_t draws;                     ///< of the routing
  std::size_t runs;                      ///< that all configs have which work
  std::vector<const ConfigSide*> sides;  ///< whose the config is
  std::vector<PipelineConfig> configs;
  std::vector<Tried> tried;
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

std::optional<RunsByTurns::Measured> RunsByTurns::measure(const Problem& problem, int pairs) {
  std::vector<Impl> impls;
  std::vector<const ConfigSide*> sides;
  std::vector<PipelineConfig> configs;
  for (const ConfigSide* side : {&base_, &head_})
    for (const Best& row : side->rows) {
      if (without_label(row.problem) != without_label(problem)) continue;
      sides.push_back(side);
      configs.push_back(row.config);
      if (std::find(impls.begin(), impls.end(), row.config.impl) == impls.end()) impls.push_back(row.config.impl);
    }

  StoppedByUser events;
  Workbench bench(device_, problem, impls, options_, events, options_.clock());
  const int rounds = pairs * bench.draws();
  SamplingRule rule = options_.timing.load == LoadState::replays ? replays(rounds) : finals(device_.settle_seconds());
  rule.least_rounds = rounds;  // a pair that one of them lacks is none
  auto tried = try_in_common_rounds(bench, configs, rounds, rule, "by turns");
  if (!tried) return std::nullopt;
  const auto draws = static_cast<std::size_t>(bench.draws());
  std::size_t runs = std::numeric_limits<std::size_t>::max();
  for (const Tried& each : *tried)
    if (each.measured) runs = std::min(runs, each.measured.value().rounds_us.size() / draws);
  if (runs == std::numeric_limits<std::size_t>::max()) runs = 1;  // one that says why nothing worked
  return Measured{.problem = &problem,
                  .data = bench.data(),
                  .load = bench.load(),
                  .draws = draws,
                  .runs = runs,
                  .sides = std::move(sides),
                  .configs = std::move(configs),
                  .tried = std::move(*tried)};
}

void RunsByTurns::write(std::span<const Measured> problems, const ConfigSide& side) const {
  const Environment environment = describe_environment(device_.info(), options_.ceilings, command_);
  std::size_t runs = 0;
  for (const Measured& of : problems) runs = std::max(runs, of.runs);
  for (std::size_t run = 0; run < runs; ++run) {
    JournalWriter journal(side.journal, environment);
    for (const Measured& of : problems)
      for (std::size_t i = 0; i < of.configs.size(); ++i) {
        if (of.sides[i] != &side) continue;
        const Tried& tried = of.tried[i];
        if (!tried.measured)
          journal.add(describe_failure(*of.problem, of.configs[i], of.data, options_.timing, tried.measured.failure(),
                                       tried.verdict));
        else if (run < of.runs)
          journal.add(describe_best(*of.problem, of.configs[i], of.data, options_.timing, of.load, options_.ceilings,
                                    summarise_run(tried.measured.value(), run, of.draws), tried.verdict.value()));
      }
  }
}

void RunsByTurns::add_pairs(int pairs, const IsWanted& is_wanted) {
  const std::vector<Problem> wanted = problems(is_wanted);
  std::vector<Measured> all;
  for (const Problem& problem : wanted) {
    log_(fmt::format("{}: {} pairs", to_line(problem), pairs));
    std::optional<Measured> measured = measure(problem, pairs);
    if (!measured) return;
    all.push_back(std::move(*measured));
  }
  if (InterruptGuard::interrupted()) return;
  for (const ConfigSide* side : {&base_, &head_}) write(all, *side);
  pairs_ += pairs;
}

}  // namespace moetune
