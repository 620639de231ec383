#pragma once

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measure/sampler.h"
#include "measure/trial.h"
#include "measure/verify.h"
#include "search/memory.h"
#include "search/tune.h"

namespace moetune {

/// An attempt at a pipeline config: built and verified, or a trial that says why not.
struct Attempt {
  Trial trial;  ///< wall_s: of building and verifying, until it is reported
  std::unique_ptr<Pipeline> pipeline;
  std::optional<Verified> verified;

  bool is_verified() const { return verified.has_value(); }
};

/// A problem's inputs on the device, with the references to judge by: where attempts are made and reported.
class Workbench {
 public:
  /// Loads the inputs, and begins to compute the references of `impls` beside what the caller does next; the first
  /// attempt waits for them. Throws Error where the problem does not fit.
  Workbench(Device& device, const Problem& problem, std::vector<Impl> impls, const TuneOptions& options,
            TuneEvents& events, double start_s);

  /// What the next refill() is going to be: on a device that leaves the host idle, its references are computed
  /// meanwhile, once those of the data there is are done. They take half a second of 16 cores.
  void announce(const DataSpec& data);
  /// Other data in the same buffers. Pipelines stay, and have to be verified again.
  void refill(const DataSpec& data);

  /// Mean over the draws of the routing that sampling goes through.
  Load load() const;
  int draws() const;  ///< how many these are

  /// Compiles ahead what the attempts to come need. The time it took is divided among the configs that it was new for,
  /// and becomes part of the first trial of each.
  void prepare(std::span<const PipelineConfig> configs);
  /// The same beside what the caller does next, where the device can; elsewhere prepared_within() does it.
  void begin_to_prepare(std::span<const PipelineConfig> configs);
  /// Whether they are ready, after so many seconds at most. What is not goes on.
  bool prepared_within(double seconds, std::span<const PipelineConfig> configs);
  /// What has got ready meanwhile is prepared from now on.
  void take_in_prepared();
  bool is_prepared(const PipelineConfig& config) const;
  /// Of a config of a stage, in those prepared last; 0 before there were any.
  double prepare_seconds() const { return prepare_s_; }
  /// What this attempt came to in an earlier run; null where it is not known.
  const Trial* recall(const PipelineConfig& config, Trial::Phase phase, std::optional<Stage> stage, int rung = 0) const;
  /// Takes a recalled trial for one just made: it counts, and so does its time.
  void adopt(const Trial& recalled);

  /// Builds a pipeline and verifies it. `stage` is the one that is going to be timed; none for the whole.
  Attempt attempt(const PipelineConfig& config, Trial::Phase phase, std::optional<Stage> stage, int rung = 0);
  /// Verifies a pipeline built before on the data there is now.
  Attempt verify_again(const PipelineConfig& config, std::unique_ptr<Pipeline> pipeline);
  /// Whether `config`, which has worked before, still does. Not a trial.
  bool still_works(const PipelineConfig& config);

  /// Completes the trial with its time, or with why there is none, and hands it to the events.
  void report(Attempt& attempt, const Result<Measurement>& measured);
  /// The same for an attempt that failed before it could be timed.
  void report(Attempt& attempt);
  void progress(std::string_view phase, std::size_t to_come, std::optional<double> best_us, std::string best_label);

  /// sample(), over the draws of a random routing. Attempts are made at the first.
  std::vector<Result<Measurement>> sample(std::span<const Candidate> candidates, int rounds, const SamplingRule& rule);
  /// The clock of the options, moved on by what recalled trials took.
  double now() const { return options_.clock() + recalled_s_; }
  double seconds() const { return now() - start_s_; }  ///< since the problem was begun
  const Spent& spent() const { return spent_; }
  std::size_t reported() const { return reported_; }
  bool should_stop() const { return events_.should_stop(); }

  /// Whether the host may compute beside measurements.
  bool leaves_host_idle() const;

  const DeviceInfo& device() const { return device_.info(); }
  double settle_seconds() const { return device_.settle_seconds(); }
  const Problem& problem() const { return problem_; }
  const TuneOptions& options() const { return options_; }
  const Routing& routing() const { return workload_->routing(); }
  const DataSpec& data() const { return workload_->data(); }

 private:
  /// Under way on another thread; or, on a device that compiles nothing beside other work, still to be done.
  struct Preparation {
    std::vector<std::pair<Stage, StageConfig>> stages;
    std::future<double> seconds;  ///< that it took
  };

  Attempt build_and_verify(const Trial& description);
  Trial describe(const PipelineConfig& config, Trial::Phase phase, std::optional<Stage> stage, int rung) const;
  using References = std::map<Impl, ReferenceRows>;
  struct Announced {
    DataSpec data;
    std::shared_future<References> references;
  };

  /// Of the routing's first draw, after `earlier` ones.
  std::shared_future<References> begin_references(const DataSpec& data,
                                                  std::shared_future<References> earlier = {}) const;
  const ReferenceRows& reference(Impl impl) { return references_.get().at(impl); }
  void verify_attempt(Attempt& attempt);
  void finish(Preparation& preparation);
  void reroute(int draw);

  Device& device_;
  const Problem& problem_;
  std::vector<Impl> impls_;
  const TuneOptions& options_;
  TuneEvents& events_;
  double start_s_;
  Memory memory_;
  double recalled_s_ = 0;
  std::unique_ptr<Workload> workload_;
  std::shared_future<References> references_;  ///< of the data there is now
  std::optional<Announced> announced_;
  int draw_ = 0;
  std::map<std::pair<Stage, StageConfig>, double> compile_s_;  ///< of what was prepared; 0 once a trial has it
  double prepare_s_ = 0;
  Spent spent_;
  std::size_t reported_ = 0;
  std::vector<Preparation> preparations_;  ///< last: they use the rest
};

}  // namespace moetune
