// Journals for tests of whatever compares them.
#pragma once

#include <string>
#include <vector>

#include "compare/side.h"
#include "results/samples.h"

namespace moetune {

inline Environment environment_of(int run) {
  Environment environment = sample_environment();
  environment.created = "2025-01-31T12:00:0" + std::to_string(run) + "Z";
  return environment;
}

/// A journal whose run i measured `medians_us`[i] on the sample problem with this M.
inline Journal journal_of(const std::vector<double>& medians_us, std::int64_t M = 16, Impl impl = Impl::merged) {
  Journal journal;
  for (std::size_t run = 0; run < medians_us.size(); ++run) {
    journal.runs.push_back({.id = std::to_string(run), .environment = environment_of(static_cast<int>(run))});
    Best best = sample_best(impl, medians_us[run]);
    best.problem.M = M;
    journal.bests.push_back({.record = best, .run = run, .line = 2 * run + 2});
  }
  return journal;
}

/// A whole pipeline that gave this outcome in run `run`.
inline Recorded<Trial> failed_trial(Outcome outcome, std::size_t run, std::size_t line) {
  Trial trial = sample_trial();
  trial.phase = Trial::Phase::final;
  trial.stage.reset();
  trial.timing = {};
  trial.outcome = outcome;
  trial.reason = "a reason";
  trial.time.reset();
  return {.record = trial, .run = run, .line = line};
}

inline Side side_of(const std::vector<Journal>& journals) {
  return make_side(journals, {});
}

}  // namespace moetune
