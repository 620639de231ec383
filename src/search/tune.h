#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/device.h"
#include "kernel/engine.h"
#include "measure/clock.h"
#include "measure/trial.h"
#include "search/budget.h"
#include "search/warm_start.h"
#include "space/search_space.h"

namespace moetune {

struct TuneOptions {
  std::vector<Impl> impls = {Impl::three_kernel, Impl::merged};
  /// For one problem (share_of() divides a run's). Seconds hold for all of it, the finals included. Without one the
  /// effort says; a strategy that takes all takes all there is.
  std::optional<Budget> budget;
  Effort effort = kNormalEffort;
  std::uint64_t seed = 1;  ///< of data, routing and search
  TimingOptions timing;
  std::string strategy = "halving";
  std::vector<const Engine*>
      engines;  ///< allowed ones, in order of preference; those of other backends are passed over
  std::map<std::string, SearchSpace>
      spaces;  ///< by engine name; an engine without one is tried at its first_configs only
  std::map<std::pair<Stage, std::string>, SearchSpace> stage_spaces;  ///< instead, for one stage
  std::vector<WarmConfig> warm_start;   ///< the nearest of them are tried before the engines' guesses
  std::map<Stage, StageConfig> pinned;  ///< these stages are not searched
  Ceilings ceilings;
  double noise_floor = 0;  ///< of the device, a share: by how much one config differs from itself
  /// Trials of this problem from before, with these options: where the search asks for one again, its outcome is taken
  /// and nothing is built or measured. What was measured in common rounds is taken whole or not at all. Their time
  /// counts.
  std::vector<Trial> recorded;
  double mac_budget = 2e9;  ///< multiply-adds that a reference may cost
  Clock clock = steady_seconds;
  Rest rest = sleep_seconds;
};

/// What is about to be searched.
struct TunePlan {
  struct StagePlan {
    Stage stage = Stage::gate;
    std::size_t legal = 0;                        ///< configs to choose from
    std::map<std::string, std::size_t> rejected;  ///< reason -> configs in the space that cannot run
    std::optional<std::size_t> trials;            ///< at most; empty where only time limits them
    bool pinned = false;
    std::vector<std::string> passed_over;  ///< configs to begin with that cannot be chosen, a line for each
  };
  std::vector<StagePlan> stages;
  double seconds = 0;         ///< the most it should take; 0 where only trials limit it
  double likely_seconds = 0;  ///< that it takes, by experience
  std::size_t attempts = 0;   ///< trials in all, finals included, about
  std::string strategy;
};

struct TuneProgress {
  std::string phase;              ///< "gate", "final", …: the stage being searched; "finals"; "fresh data"
  std::size_t done = 0;           ///< attempts made
  std::size_t expected = 0;       ///< attempts in all, as far as can be told
  double seconds = 0;             ///< since the problem was begun
  Spent spent;                    ///< of these
  std::optional<double> best_us;  ///< so far, in this phase: of the stage alone, or of the whole pipeline
  std::string best_label;
};

/// What happens while tuning. Called on the thread of tune_problem.
class TuneEvents {
 public:
  virtual ~TuneEvents() = default;
  virtual void on_plan(const Problem&, const TunePlan&) {}
  /// About to be built: the trial without what comes of it. Its elapsed_s is of now.
  virtual void on_attempt(const Trial&) {}
  virtual void on_trial(const Trial&) {}  ///< a journal line; not for those that were recorded before
  virtual void on_progress(const TuneProgress&) {}
  /// The implementation has no best config; the text says what failed most often.
  virtual void on_failure(const Problem&, Impl, const std::string&) {}
  /// Asked between trials. After a true the trial in flight is ended and tune_problem returns what it has: nothing,
  /// unless the last rounds were complete.
  virtual bool should_stop() { return false; }
};

/// What tune_problem() would do. Nothing is built or measured.
TunePlan plan_problem(const DeviceInfo& device, const Problem& problem, const TuneOptions& options);

/// How long a plan is likely to take for another problem. A space of 10,000 configs takes most of a second to be
/// walked.
double likely_seconds(const TunePlan& plan, const Problem& problem, const Ceilings& ceilings);

/// Finds the best config of each implementation for `problem` and measures them against each other.
///
/// Each tunable stage is searched alone, in a pipeline whose other stages run at a default that works; `final`, which
/// both implementations have, is searched once for both. Then the best few of the stages are joined and measured whole
/// together with the engines' defaults. The winners are verified again on data of another seed, and the times returned
/// are from rounds on that data: neither a lucky sample of the search nor one routing decides what is reported. Within
/// its interval of the best a default stays; and a winner that proves slower than the default on the fresh data gives
/// way to it.
///
/// Returns a Best for each implementation that has a config that works, in the order of options.impls; the others are
/// reported to `events`. Throws Error where the problem does not fit the device or an option names what does not exist.
std::vector<Best> tune_problem(Device& device, const Problem& problem, const TuneOptions& options, TuneEvents& events);

}  // namespace moetune
