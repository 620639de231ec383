#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// How sure it is that a config is the best one.
struct Choice {
  std::vector<PipelineConfig> ties;  ///< other finalists that could not be told from it
  /// That the rounds of the finals, or the last ones, drawn anew, have another one as the fastest.
  double flip_probability = 0;
  double margin = 0;  ///< the share of its time that a lead had to be larger than

  bool operator==(const Choice&) const = default;
};

/// The share of its time that a problem loses with a config other than its own, from common rounds, with a 95 %
/// interval over these. Below 0 where it gains.
struct Regret {
  double value = 0, low = 0, high = 0;

  bool operator==(const Regret&) const = default;
};

/// How the best config of one M does at another M of a problem that is else the same.
struct Transfer {
  Impl impl = Impl::merged;      ///< of the config
  std::int64_t tuned_M = 1;      ///< that it is the best of
  std::int64_t M = 1;            ///< that it was measured at
  std::optional<Regret> regret;  ///< none where it does not run there, or the best config of M itself did not any more
  std::string reason;            ///< why there is none
  bool served = false;           ///< M has no config of its own and is the nearest to tuned_M of those that have one

  bool operator==(const Transfer&) const = default;
};

/// What was measured at one problem.
struct Transfers {
  Problem problem;
  std::vector<Transfer> of;

  bool operator==(const Transfers&) const = default;
};

/// Where the seconds of a problem went. What is in neither is the tool's own.
struct Spent {
  double compiling = 0;  ///< waiting for compilers
  double on_device = 0;  ///< loading inputs; building, verifying and sampling pipelines

  Spent& operator+=(const Spent& other) {
    compiling += other.compiling;
    on_device += other.on_device;
    return *this;
  }
  bool operator==(const Spent&) const = default;
};

/// An implementation at its best config, measured in the last rounds against the others.
struct Best {
  Problem problem;
  PipelineConfig config;
  DataSpec data;
  TimingOptions timing;
  double experts_hit = 0;                    ///< mean over the draws of the routing
  double local_slots = 0, local_tokens = 0;  ///< likewise, of Load; 0 without expert parallelism, where they are all
  Summary time;                              ///< whole pipeline, in the state of timing.load
  std::optional<Summary> burst;              ///< the same after a rest; only where that can differ
  std::map<Stage, Summary> stage_times;      ///< each stage timed alone
  Verdict verdict;
  double roofline_us = 0;
  double ceiling = 0;  ///< of merged over three_kernel for this problem
  Work work;
  std::optional<Ratio> versus_three_kernel;  ///< merged only: from the same rounds
  std::optional<Choice> choice;              ///< there where it was chosen, not given
  std::vector<Transfer> bucket_transfer;     ///< how the config does at other M, ascending; where that was measured

  Load load() const {
    if (problem.ep_ranks > 1) return {.experts_hit = experts_hit, .slots = local_slots, .tokens = local_tokens};
    return {.experts_hit = experts_hit,
            .slots = static_cast<double>(problem.slots()),
            .tokens = static_cast<double>(problem.M)};
  }
  double roofline_fraction() const { return time.median_us > 0 ? roofline_us / time.median_us : 0; }
  bool operator==(const Best&) const = default;
};

/// A finalist that could not be timed.
Trial describe_failure(const Problem& problem, const PipelineConfig& config, const DataSpec& data,
                       const TimingOptions& timing, const Failure& failure, const std::optional<Verdict>& verdict);

/// What can be said of a config that was timed, as far as it follows from these: what it had to do, and what it could
/// have taken. `load` is the mean over the draws of the routing.
Best describe_best(const Problem& problem, const PipelineConfig& config, const DataSpec& data,
                   const TimingOptions& timing, const Load& load, const Ceilings& ceilings, const Summary& time,
                   const Verdict& verdict);

}  // namespace moetune
