#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "backend/device.h"
#include "base/outcome.h"
#include "measure/clock.h"
#include "measure/statistics.h"
#include "measure/verify.h"

namespace moetune {

/// How long a candidate is sampled.
struct SamplingRule {
  double relative_half_width = 0.005;  ///< stop where the 95 % interval of the median is this narrow ("interval") …
  int min_samples = 20;                ///< … though not before so many samples;
  int max_samples = 400;               ///< stop here in any case ("cap"),
  double max_seconds = 1.5;       ///< or when the candidate has taken this long, warm-up and flushes included ("cap")
  double visit_seconds = 0.0005;  ///< a visit samples for at least this long, where the caps leave room
  /// Idle before each visit. A GPU under load for seconds runs into its power limit and slows down by 15 % and more, by
  /// how much depending on what ran before; rests give all candidates the same state to start from.
  double rest_seconds = 0;
  /// The time to beat: stop ("behind") where all samples are more than 3 times as slow, or 10 and more have their lower
  /// quartile 1.25 times as slow.
  std::optional<double> incumbent_us = std::nullopt;
};

/// For telling the hopeless from the hopeful: an interval of 2 % or about 0.1 s. Each rung up takes three times the
/// samples.
SamplingRule screening(int rung = 0);
/// For choosing among finalists: an interval of 0.5 % or 1.5 s.
SamplingRule finals();
/// For the figures that are reported, of a pipeline or of its stages: as finals(), in visits of 0.1 s, on a GPU each
/// after as long a rest.
SamplingRule reporting(Backend backend);

/// What to time: a verified pipeline as a whole, or one stage of it.
struct Candidate {
  Verified pipeline;
  std::optional<Stage> stage = std::nullopt;
};

struct Measurement {
  Summary time;                                ///< over all samples of all rounds
  std::vector<std::vector<double>> rounds_us;  ///< the samples of each round
  double seconds = 0;                          ///< that this candidate took, warm-up and flushes included

  std::vector<double> round_medians() const;
};

/// What all sampling of a run has in common.
struct SamplingContext {
  TimingOptions timing;
  Clock clock = steady_seconds;
  Rest rest = sleep_seconds;
  std::function<bool()> stop = [] { return false; };  ///< asked between visits; ends the sampling ("interrupted")
};

/// THE sampling procedure. After a warm-up the candidates are visited in rounds; round r starts with candidate r mod n
/// and goes round from there, so that drift of clocks and temperature falls on all alike and none is always first. A
/// visit takes several samples where they are short. All take part in every round until each has its interval or has
/// met its cap, and in at least `rounds` rounds unless time runs out (then in two, or in one if alone), so that round i
/// of one can be paired with round i of another. A candidate that fails, or whose timer returns anything but positive
/// finite times, drops out with its reason and leaves the others undisturbed.
///
/// Before a stage is timed alone its pipeline is run, if another ran since: pipelines may share their intermediates.
std::vector<Result<Measurement>> sample(std::span<const Candidate> candidates, int rounds, const SamplingRule& rule,
                                        const SamplingContext& context);

}  // namespace moetune
