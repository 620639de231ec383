#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "backend/device.h"
#include "base/outcome.h"
#include "measure/statistics.h"
#include "problem/work.h"
#include "reference/verdict.h"
#include "space/config.h"

namespace moetune {

/// One attempt at a config: the line of the journal.
struct Trial {
  enum class Phase { screen, final };

  Problem problem;
  Phase phase = Phase::screen;
  std::optional<Stage> stage;  ///< screen: the stage that was timed alone; empty: the whole pipeline
  int rung = 0;                ///< screen: how closely it was measured; see search/scoreboard.h
  PipelineConfig config;       ///< the pipeline it was verified in
  DataSpec data;
  TimingOptions timing;
  Outcome outcome = Outcome::skipped;
  std::string reason;              ///< empty where ok
  double compile_s = 0;            ///< its share of the time that compiling ahead took; comes on top of wall_s
  std::optional<Verdict> verdict;  ///< there wherever it ran
  std::optional<Summary> time;     ///< there only where verdict->passed
  double wall_s = 0;               ///< time the attempt took
  double elapsed_s = 0;            ///< since the problem was begun, at its end; 0 where that is not known

  bool operator==(const Trial&) const = default;
};

/// "screen", "final"
std::string_view to_string(Trial::Phase phase);
/// Throws Error for an unknown name.
Trial::Phase parse_phase(std::string_view name);

/// An implementation at its best config, measured in the last rounds against the others.
struct Best {
  Problem problem;
  PipelineConfig config;
  DataSpec data;
  TimingOptions timing;
  double experts_hit = 0;                    ///< mean over the draws of the routing
  double local_slots = 0, local_tokens = 0;  ///< likewise, of Load; 0 without expert parallelism, where they are all
  Summary time;                              ///< whole pipeline, under lasting load
  std::optional<Summary> burst;              ///< the same after a rest; only where that can differ
  std::map<Stage, Summary> stage_times;      ///< each stage timed alone
  Verdict verdict;
  double roofline_us = 0;
  double ceiling = 0;  ///< of merged over three_kernel for this problem
  Work work;
  std::optional<Ratio> versus_three_kernel;  ///< merged only: from the same rounds

  Load load() const {
    if (problem.ep_ranks > 1) return {.experts_hit = experts_hit, .slots = local_slots, .tokens = local_tokens};
    return {.experts_hit = experts_hit,
            .slots = static_cast<double>(problem.slots()),
            .tokens = static_cast<double>(problem.M)};
  }
  double roofline_fraction() const { return time.median_us > 0 ? roofline_us / time.median_us : 0; }
  bool operator==(const Best&) const = default;
};

}  // namespace moetune
