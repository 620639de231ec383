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

/// Samples to ask of a timer in one call: it keeps events for each.
inline constexpr int kMostSamplesAtOnce = 1000;

/// How long a candidate is sampled.
struct SamplingRule {
  double relative_half_width = 0.005;  ///< stop where the 95 % interval of the median is this narrow ("interval") …
  int min_samples = 20;                ///< … though not before so many samples;
  int max_samples = 400;               ///< stop here in any case ("cap"),
  double max_seconds = 1.5;       ///< or when the candidate has taken this long, warm-up and flushes included ("cap")
  double visit_seconds = 0.0005;  ///< a visit samples for at least this long, where the caps leave room
  // A GPU at its power limit is 15 % slower and more, by how much depends on what runs, and it takes a while to get
  // there and back. These three say in which of its states the samples are taken; they count towards max_seconds.
  double lead_in_seconds = 0;  ///< untimed load before the first round: all candidates by turns, each its share
  double settle_seconds = 0;   ///< untimed load before the samples of a visit: of the candidate itself
  double rest_seconds = 0;     ///< idle before each visit
  // Or visits that are alike whatever went before them. Where there are estimates, the samples of a visit follow from
  // them and from visit_seconds, with a round's part of min_samples at least: time that is short is saved in rounds.
  double read_seconds = 0;  ///< reading memory before each visit, and nothing else; then …
  int estimates = 0;        ///< … so many untimed samples, whose median is what one takes; then …
  int warm_ups = 0;         ///< … so many more: at most 3 where one takes more than 5 ms, and 1 above 30 ms
  int least_rounds = 2;     ///< of several candidates, though max_seconds are over
  /// The time to beat: stop ("behind") where all samples are more than 3 times as slow, or 10 and more have their lower
  /// quartile 1.25 times as slow.
  std::optional<double> incumbent_us = std::nullopt;
};

// Rules for the purposes there are. `settle_seconds` is the device's.

/// For telling the hopeless from the hopeful: an interval of 2 % or about 0.1 s. Each rung up takes three times the
/// samples.
SamplingRule screening(int rung = 0, double settle_seconds = 0);
/// For choosing among finalists: an interval of 0.5 % or 1.5 s.
SamplingRule finals(double settle_seconds = 0);
/// For the figures that are reported: as finals(), under lasting load of each candidate's own, in visits of 0.2 s.
SamplingRule reporting(double settle_seconds = 0);
/// The same as kernels are usually benchmarked: in each of the rounds 0.2 s of reading memory, 3 and 10 untimed
/// samples, then 0.2 s of samples, 10 at least and 200 at most, back to back. A GPU meets its power limit on the way,
/// if at all.
SamplingRule replays(int rounds);
/// For what a pipeline takes now and then: a few samples within 30 ms after a rest of 0.1 s. For kBurstRounds.
SamplingRule bursts();
inline constexpr int kBurstRounds = 6;

/// The rule for `candidates` that may take so many seconds in all, over so many rounds. What brings the device into its
/// state keeps at most a part of them; visits that read memory are cut to half of their length and no further.
SamplingRule shortened(SamplingRule rule, double seconds, std::size_t candidates, int rounds);

/// What to time: a verified pipeline as a whole, or some stages of it.
struct Candidate {
  Verified pipeline;
  std::optional<StageRange> stages = std::nullopt;
};

struct Measurement {
  Summary time;                                ///< over all samples of all rounds
  std::vector<std::vector<double>> rounds_us;  ///< the samples of each round
  double seconds = 0;                          ///< that this candidate took, warm-up and flushes included

  /// Of each round, for speedup() and its like. Where rounds had one each of several draws of the routing, of their
  /// halves, all first halves before all second ones: each draw then has two.
  std::vector<double> round_medians(int draws = 1) const;
};

/// Of the problem's routing that samples are taken over by turns: one unless it is random.
int draws_of(const Problem& problem, const TimingOptions& timing);

/// What all sampling of a run has in common.
struct SamplingContext {
  TimingOptions timing;
  Clock clock = steady_seconds;
  Rest rest = sleep_seconds;
  /// Device::read_memory(); empty where no rule asks for it.
  std::function<void(double seconds)> read = nullptr;
  std::function<bool()> stop = [] { return false; };  ///< asked between visits; ends the sampling ("interrupted")
  /// Asked after the samples of each visit; empty where the device has no clock to tell.
  std::function<ClockState()> read_clock = nullptr;
  /// Changes the routing to this of timing.routing_draws; empty where all rounds are to have one routing.
  std::function<void(int draw)> reroute = nullptr;

  int draws() const { return reroute ? timing.routing_draws : 1; }
};

/// THE sampling procedure. After a warm-up, which is longer where the rule leads in, the candidates are visited in
/// rounds; round r starts with candidate r mod n and goes round from there, so that drift of clocks and temperature
/// falls on all alike and none is always first. A visit takes several samples where they are short. All take part in
/// every round until each has its interval or has met its cap, and in at least `rounds` rounds unless time runs out
/// (then in rule.least_rounds, or in one if alone), so that round i of one can be paired with round i of another. A
/// candidate that fails, or whose timer returns anything but positive finite times, drops out with its reason and
/// leaves the others undisturbed.
///
/// A visit that the device's clock was far below the candidate's best in is made again after a rest, up to three times;
/// then it is kept and counted (Summary::slow_visits).
///
/// Round r has draw r mod draws() of the routing; the warm-up the first. A config is as good as it is on average: the
/// median is the mean of the draws' own, and the interval says how well that is known (summarise_draws()).
///
/// Before a stage is timed alone its pipeline is run, if another ran since: pipelines may share their intermediates.
std::vector<Result<Measurement>> sample(std::span<const Candidate> candidates, int rounds, const SamplingRule& rule,
                                        const SamplingContext& context);

/// What comes before the samples of a visit by a rule that has estimates: reading and untimed samples, on the routing
/// there is. How many samples are to follow, or the failure it met.
Result<int> begin_visit(const Candidate& candidate, const SamplingRule& rule, int rounds,
                        const SamplingContext& context);

/// Runs it for about so many seconds, untimed, so that what comes next without a pause is sampled under lasting load.
/// The failure it met, if any.
std::optional<Failure> load_for(double seconds, const Candidate& candidate, const SamplingContext& context);

}  // namespace moetune
