#include "compare/side.h"

#include <algorithm>

namespace moetune {
namespace {

SideRow& find_row(Side& side, std::size_t run, const Problem& problem, Impl impl, const TimingOptions& timing) {
  const DeviceInfo& device = side.runs[run].device;
  const auto found = std::find_if(side.rows.begin(), side.rows.end(), [&](const SideRow& row) {
    return row.impl == impl && row.timing == timing && row.device.name == device.name && row.device.id == device.id &&
           without_label(row.problem) == without_label(problem);
  });
  if (found != side.rows.end()) return *found;
  return side.rows.emplace_back(
      SideRow{.problem = problem, .impl = impl, .timing = timing, .device = device, .runs = {}});
}

/// What a run says last counts.
void add(Side& side, RowRun added, const Problem& problem, Impl impl, const TimingOptions& timing) {
  std::vector<RowRun>& runs = find_row(side, added.run, problem, impl, timing).runs;
  if (!runs.empty() && runs.back().run == added.run)
    runs.back() = std::move(added);
  else
    runs.push_back(std::move(added));
}

void add(Side& side, const Best& best, std::size_t run) {
  std::optional<Failure> failure;
  if (!best.verdict.passed) failure = Failure{Outcome::incorrect, best.verdict.reason};
  add(side, {.run = run, .best = best, .failure = failure}, best.problem, best.config.impl, best.timing);
}

}  // namespace

Side make_side(std::span<const Journal> journals, std::span<const BestFile> best_files) {
  Side side;
  for (const Journal& journal : journals) {
    const std::size_t first = side.runs.size();
    for (const Journal::Run& run : journal.runs) side.runs.push_back(run.environment);
    // A finalist that fails is no failure of its row where another one became the best, which stands further down.
    std::size_t next_best = 0;
    const auto add_bests_before = [&](std::size_t line) {
      for (; next_best < journal.bests.size() && journal.bests[next_best].line < line; ++next_best)
        add(side, journal.bests[next_best].record, first + journal.bests[next_best].run);
    };
    for (const auto& [trial, run, line] : journal.trials) {
      if (trial.phase != Trial::Phase::final || trial.stage || trial.outcome == Outcome::ok) continue;
      add_bests_before(line);
      add(side, {.run = first + run, .best = std::nullopt, .failure = Failure{trial.outcome, trial.reason}},
          trial.problem, trial.config.impl, trial.timing);
    }
    add_bests_before(static_cast<std::size_t>(-1));
  }
  for (const BestFile& file : best_files) {
    const auto known = std::find(side.runs.begin(), side.runs.end(), file.environment);
    const auto run = static_cast<std::size_t>(known - side.runs.begin());
    if (known == side.runs.end()) side.runs.push_back(file.environment);
    add(side, file.best, run);
  }
  return side;
}

Problem without_label(Problem problem) {
  problem.model.clear();
  return problem;
}

}  // namespace moetune
