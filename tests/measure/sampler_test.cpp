#include "measure/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "measure/small_problem.h"

namespace moetune {
namespace {

/// Gate configs of the pipelines A, B and C, so that they can be told apart.
const std::vector<StageConfig> kGates = {fake_config(32, 32, 4), fake_config(64, 64, 4), fake_config(16, 64, 2)};
const StageConfig kFinal = fake_config(64, 64, 4);

/// Stage times by hand: gates in the order of kGates, 10 µs for final; 5 µs each for route and combine.
TimeModel gate_times(std::vector<double> us) {
  std::map<std::pair<Stage, StageConfig>, double> times{{{Stage::final, kFinal}, 10.0}};
  for (std::size_t i = 0; i < us.size(); ++i) times[{Stage::gate, kGates[i]}] = us[i];
  return recording(times);
}

std::vector<Candidate> candidates(Loaded& loaded, std::size_t count) {
  std::vector<Candidate> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back({.pipeline = loaded.verified(merged(kGates[i], kFinal))});
  return result;
}

TEST(Sample, TellsTheClockOfItsVisitsAndWhatHeldItDown) {
  Loaded loaded({.time_us = gate_times({100, 200})});
  int readings = 0;
  SamplingContext context{.timing = {}, .clock = loaded.clock()};
  context.read_clock = [&]() -> ClockState {  // every second visit is the second candidate's
    if (readings++ % 2 == 0) return {.sm_mhz = 1980, .slowed_by = {}};
    return {.sm_mhz = 1500, .slowed_by = {readings < 3 ? "temperature" : "power limit"}};
  };
  const auto results = sample(candidates(loaded, 2), 2, {.min_samples = 2, .max_samples = 2}, context);
  std::vector<double> clocks;
  std::vector<std::string> reasons;
  for (const auto& result : results) {
    clocks.push_back(result.value().time.sm_clock_mhz);
    reasons.insert(reasons.end(), result.value().time.slowed_by.begin(), result.value().time.slowed_by.end());
  }
  // Round 0 visits A, B; round 1 visits B, A.
  EXPECT_EQ(readings, 4);
  EXPECT_EQ(clocks, (std::vector<double>{1740, 1740}));
  EXPECT_EQ(reasons, (std::vector<std::string>{"power limit", "temperature"}));

  context.read_clock = nullptr;
  const auto unknown = sample(candidates(loaded, 1), 2, finals(), context);
  EXPECT_EQ(unknown[0].value().time.sm_clock_mhz, 0);
}

TEST(Sample, AVisitAtAFarLowerClockIsMadeAgainAfterRestsThenKeptAndCounted) {
  Loaded loaded({.time_us = gate_times({100})});
  std::vector<double> clocks{1980, 1400, 1980, 1900, 1000, 1000, 1000, 1000, 1980};
  std::vector<double> rests;
  std::size_t reading = 0;
  SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = [&](double s) { rests.push_back(s); }};
  context.read_clock = [&]() -> ClockState { return {.sm_mhz = clocks.at(reading++), .slowed_by = {}}; };
  const auto results = sample(candidates(loaded, 1), 5, {.min_samples = 5, .max_samples = 5}, context);
  // Visits end with readings 1, 3, 4, 8 and 9.
  EXPECT_EQ(reading, clocks.size());
  EXPECT_EQ(results[0].value().time.slow_visits, 1);
  EXPECT_EQ(results[0].value().rounds_us.size(), 5u);
  EXPECT_EQ(rests, (std::vector<double>{0.05, 0.05, 0.1, 0.2}));
}

TEST(Sample, TheClockOfThePowerLimitIsNoReasonToMeasureAgain) {
  Loaded loaded({.time_us = gate_times({100})});
  std::size_t reading = 0;
  SamplingContext context{.timing = {}, .clock = loaded.clock()};
  context.rest = [](double) { FAIL() << "under lasting load there are no rests"; };
  context.read_clock = [&]() -> ClockState {
    if (reading++ == 0) return {.sm_mhz = 1980, .slowed_by = {}};
    return {.sm_mhz = 1200, .slowed_by = {"power limit"}};
  };
  const auto results = sample(candidates(loaded, 1), 5, {.min_samples = 5, .max_samples = 5}, context);
  EXPECT_EQ(reading, 5u);
  EXPECT_EQ(results[0].value().time.slow_visits, 0);
}

TEST(Sample, RoundsStartWithAnotherCandidateEach) {
  Loaded loaded({.time_us = gate_times({100, 200, 300})});
  const std::vector<Candidate> three = candidates(loaded, 3);
  const auto results = sample(three, 4, finals(), {.timing = {}, .clock = loaded.clock()});
  const std::size_t rounds = results[0].value().rounds_us.size();
  ASSERT_GE(rounds, 4u);

  std::vector<std::size_t> order;
  for (const FakeDevice::Visit& visit : loaded.device.visits())
    for (std::size_t i = 0; i < kGates.size(); ++i)
      if (visit.config.stages.at(Stage::gate) == kGates[i]) order.push_back(i);
  order.erase(order.begin(), order.end() - static_cast<std::ptrdiff_t>(3 * rounds));  // the warm-up
  for (std::size_t round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(order[3 * round + i], (round + i) % 3) << round;
}

TEST(Sample, GoesThroughTheDrawsOfTheRoutingByTurns) {
  Loaded loaded({.time_us = gate_times({100, 200}), .routing_spread = 0.3});
  const std::vector<Candidate> two = candidates(loaded, 2);
  std::vector<int> draws;
  const auto results =
      sample(two, 6, finals(), {.timing = {.routing_draws = 3}, .clock = loaded.clock(), .reroute = [&](int draw) {
                                  draws.push_back(draw);
                                  loaded.workload->reroute(draw);
                                }});
  ASSERT_GE(draws.size(), 6u);
  for (std::size_t round = 0; round < draws.size(); ++round) EXPECT_EQ(draws[round], static_cast<int>(round % 3));
  for (const auto& result : results) {
    const std::vector<double> medians = result.value().round_medians();
    EXPECT_EQ(result.value().time.rounds_us, medians);
    ASSERT_EQ(medians.size(), draws.size());
    EXPECT_EQ(medians[0], medians[3]);  // there is no noise
    EXPECT_NE(medians[0], medians[1]);
    EXPECT_NEAR(result.value().time.median_us, (medians[0] + medians[1] + medians[2]) / 3, 1e-9);
    EXPECT_EQ(result.value().time.stopped_by, "interval");
  }
}

TEST(Sample, RunsAPipelineOnTheNewRoutingBeforeAStageIsTimedAlone) {
  Loaded loaded({.time_us = gate_times({100})});
  Candidate candidate = candidates(loaded, 1).front();
  candidate.stages = only(Stage::gate);
  int reroutes = 0;
  const std::uint64_t before = loaded.device.runs();
  const auto result =
      sample({&candidate, 1}, 6, finals(),
             {.timing = {.routing_draws = 2}, .clock = loaded.clock(), .reroute = [&](int) { ++reroutes; }});
  EXPECT_TRUE(result.front());
  EXPECT_EQ(loaded.device.runs() - before, static_cast<std::uint64_t>(reroutes + 1));  // and for the warm-up
}

TEST(Measurement, OfARoundADrawTakesTheHalvesOfRounds) {
  Measurement measurement{.time = {}, .rounds_us = {{1, 2, 3, 9, 9, 9}, {4, 4, 5, 5}}};
  EXPECT_EQ(measurement.round_medians(), (std::vector<double>{6, 4.5}));
  EXPECT_EQ(measurement.round_medians(2), (std::vector<double>{2, 4, 9, 5}));
  EXPECT_EQ(measurement.round_medians(3).size(), 2u);  // not every draw has had its round
  measurement.rounds_us = {{1, 2}, {3}};               // which has no halves
  EXPECT_EQ(measurement.round_medians(2), (std::vector<double>{1.5, 3}));
}

TEST(Sample, EveryoneTakesPartInEveryRound) {
  Loaded loaded({.time_us = gate_times({100, 1000, 3000}), .noise = 0.02});
  const auto results = sample(candidates(loaded, 3), 9, finals(), {.timing = {}, .clock = loaded.clock()});
  for (const auto& result : results) {
    EXPECT_EQ(result.value().rounds_us.size(), results[0].value().rounds_us.size());
    EXPECT_EQ(result.value().round_medians().size(), result.value().rounds_us.size());
    EXPECT_GE(result.value().rounds_us.size(), 9u);
    EXPECT_GE(result.value().time.n, finals().min_samples);
  }
  // Short kernels are sampled several times a visit.
  EXPECT_GT(results[0].value().time.n, results[2].value().time.n);
}

TEST(Sample, StopsAtTheIntervalWhereThereIsNoNoise) {
  Loaded loaded({.time_us = gate_times({980})});
  const auto result = sample(candidates(loaded, 1), 1, finals(), {.timing = {}, .clock = loaded.clock()}).front();
  EXPECT_EQ(result.value().time.stopped_by, "interval");
  EXPECT_EQ(result.value().time.n, 20);
  EXPECT_DOUBLE_EQ(result.value().time.median_us, 1000);
}

TEST(Sample, StopsAtTheMostSamplesWhereThereIsMuchNoise) {
  Loaded loaded({.time_us = gate_times({980}), .noise = 0.5});
  const SamplingRule rule{.relative_half_width = 0.005, .min_samples = 20, .max_samples = 60, .max_seconds = 10};
  const auto result = sample(candidates(loaded, 1), 1, rule, {.timing = {}, .clock = loaded.clock()}).front();
  EXPECT_EQ(result.value().time.stopped_by, "cap");
  EXPECT_EQ(result.value().time.n, 60);
}

TEST(Sample, StopsWhenTimeIsUp) {
  Loaded loaded({.time_us = gate_times({1e5, 1e5}), .noise = 0.1});
  const auto results = sample(candidates(loaded, 2), 9, finals(), {.timing = {}, .clock = loaded.clock()});
  for (const auto& result : results) {
    EXPECT_EQ(result.value().time.stopped_by, "cap");
    EXPECT_NEAR(result.value().time.n, 15, 2);  // 1.5 s of 0.1 s each, of which one is the warm-up
  }
}

TEST(Sample, OfPipelinesLongerThanTheCapTakesOneAloneAndTwoToPair) {
  Loaded loaded({.time_us = gate_times({2e6, 3e6})});
  const std::vector<Candidate> two = candidates(loaded, 2);
  const SamplingContext context{.timing = {}, .clock = loaded.clock()};
  const auto alone = sample({two.data(), 1}, 9, finals(), context).front();
  EXPECT_EQ(alone.value().time.n, 1);
  EXPECT_EQ(alone.value().time.stopped_by, "cap");
  for (const auto& result : sample(two, 9, finals(), context)) EXPECT_EQ(result.value().rounds_us.size(), 2u);
}

TEST(Sample, GivesUpOnWhatIsFarBehindTheIncumbent) {
  Loaded loaded({.time_us = gate_times({980, 380}), .noise = 0.01});
  const std::vector<Candidate> two = candidates(loaded, 2);
  SamplingRule rule = screening();
  rule.incumbent_us = 300;
  const SamplingContext context{.timing = {}, .clock = loaded.clock()};
  const auto hopeless = sample({&two[0], 1}, 1, rule, context).front();
  EXPECT_EQ(hopeless.value().time.stopped_by, "behind");
  EXPECT_EQ(hopeless.value().time.n, 1);  // and one of warm-up
  EXPECT_NEAR(hopeless.value().seconds, 2e-3, 2e-4);

  rule.relative_half_width = 0;
  const auto behind = sample({&two[1], 1}, 1, rule, context).front();
  EXPECT_EQ(behind.value().time.stopped_by, "behind");
  EXPECT_GE(behind.value().time.n, 10);
  EXPECT_LT(behind.value().time.n, rule.max_samples);
}

TEST(Sample, TimesThatAreNotNumbersAreAFailureOfTheirCandidateAlone) {
  Loaded loaded({.time_us = gate_times({100, 200, 300}), .faults = {{{Stage::gate, kGates[1]}, Fault::nan_time}}});
  const auto results = sample(candidates(loaded, 3), 3, finals(), {.timing = {}, .clock = loaded.clock()});
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].failure().outcome, Outcome::runtime_error);
  EXPECT_NE(results[1].failure().reason.find("nan"), std::string::npos);
  EXPECT_DOUBLE_EQ(results[0].value().time.median_us, 120);
  EXPECT_DOUBLE_EQ(results[2].value().time.median_us, 320);
}

TEST(Sample, ADeviceLostOnTheWayIsAFailure) {
  Loaded loaded({.time_us = gate_times({100, 200}), .faults = {{{Stage::gate, kGates[1]}, Fault::sticky_fault}}});
  const std::vector<Candidate> one = candidates(loaded, 1);
  const auto culprit = std::move(loaded.build(merged(kGates[1], kFinal)).value());
  EXPECT_FALSE(culprit->run());
  EXPECT_FALSE(sample(one, 1, finals(), {.timing = {}, .clock = loaded.clock()}).front());
}

TEST(Sample, DriftFallsOnAllAlike) {
  // Times double within a second of simulated time, so rise by 8 % in the 40 ms or so that this takes.
  Loaded loaded({.time_us = gate_times({980, 980}), .noise = 0.005, .drift_per_s = 2});
  const auto results = sample(candidates(loaded, 2), 20, finals(), {.timing = {}, .clock = loaded.clock()});
  const Ratio ratio = speedup(results[0].value().round_medians(), results[1].value().round_medians());
  EXPECT_LE(ratio.low, 1);
  EXPECT_GE(ratio.high, 1);
  EXPECT_NEAR(ratio.value, 1, 0.01);
  EXPECT_GT(results[0].value().round_medians().back(), results[0].value().round_medians().front() * 1.03);
}

TEST(Sample, TimesAStageAlone) {
  Loaded loaded({.time_us = gate_times({100})});
  const Verified pipeline = loaded.verified(merged(kGates[0], kFinal));
  const std::vector<Candidate> stages{{.pipeline = pipeline, .stages = only(Stage::gate)},
                                      {.pipeline = pipeline, .stages = only(Stage::final)},
                                      {.pipeline = pipeline}};
  const auto results = sample(stages, 3, screening(), {.timing = {}, .clock = loaded.clock()});
  EXPECT_DOUBLE_EQ(results[0].value().time.median_us, 100);
  EXPECT_DOUBLE_EQ(results[1].value().time.median_us, 10);
  EXPECT_DOUBLE_EQ(results[2].value().time.median_us, 120);
}

TEST(Sample, EndsWhenAskedTo) {
  Loaded loaded({.time_us = gate_times({980, 980}), .noise = 0.1});
  int asked = 0;
  const auto results = sample(candidates(loaded, 2), 9, finals(),
                              {.timing = {}, .clock = loaded.clock(), .stop = [&] { return ++asked > 6; }});
  EXPECT_EQ(results[0].value().time.stopped_by, "interrupted");
  EXPECT_LT(results[0].value().rounds_us.size(), 9u);

  const auto none =
      sample(candidates(loaded, 1), 9, finals(), {.timing = {}, .clock = loaded.clock(), .stop = [] { return true; }});
  ASSERT_FALSE(none.front());
  EXPECT_EQ(none.front().failure().outcome, Outcome::skipped);
}

TEST(Sample, OfNothingIsNothing) {
  EXPECT_TRUE(sample({}, 3, finals(), {}).empty());
}

/// Like a GPU at its power limit: 15 % slower after 0.2 s of load.
FakeSpec throttled(TimeModel model) {
  return {.time_us = std::move(model), .throttle = 0.15, .settle_s = 0.2};
}

TEST(Sample, ReportedFiguresAreUnderLastingLoadOfTheirOwn) {
  Loaded loaded(throttled(gate_times({980, 1980})));
  const std::vector<Candidate> two = candidates(loaded, 2);
  loaded.device.rest(10);
  const auto results = sample(two, 9, reporting(0.2), {.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()});
  EXPECT_DOUBLE_EQ(results[0].value().time.min_us, 1.15 * 1000);
  EXPECT_DOUBLE_EQ(results[1].value().time.min_us, 1.15 * 2000);
  for (const auto& result : results) {
    EXPECT_EQ(result.value().rounds_us.size(), 9u);
    EXPECT_LT(result.value().seconds, 9 * 0.4);
  }

  const auto& visits = loaded.device.visits();
  double own_s = 0;  // since the other one ran
  std::size_t settled = 0;
  for (std::size_t i = 1; i < visits.size(); ++i) {
    EXPECT_EQ(visits[i].start_s, visits[i - 1].end_s) << "a rest before call " << i;
    if (visits[i].config == visits[i - 1].config) {
      own_s += visits[i].end_s - visits[i].start_s;
      continue;
    }
    settled += own_s > 0.2;
    own_s = visits[i].end_s - visits[i].start_s;
  }
  EXPECT_GE(settled, 9u);  // of 10 changes and the warm-up's
}

TEST(Sample, TheLeadInComesBeforeTheFirstRound) {
  Loaded loaded(throttled(gate_times({980, 1980})));
  const std::vector<Candidate> two = candidates(loaded, 2);
  loaded.device.rest(10);
  const SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  const double start = loaded.device.seconds();
  const auto led_in = sample(two, 9, finals(0.2), context);
  EXPECT_DOUBLE_EQ(led_in[0].value().round_medians().front(), 1.15 * 1000);
  EXPECT_DOUBLE_EQ(led_in[1].value().round_medians().front(), 1.15 * 2000);
  EXPECT_LT(loaded.device.seconds() - start, 0.35);  // 0.2 s in all, not for each visit

  loaded.device.rest(10);
  EXPECT_LT(sample(two, 9, finals(), context)[0].value().round_medians().front(), 1.05 * 1000);
}

TEST(Sample, TwoSamplesAreNoIntervalHoweverAlike) {
  Loaded loaded({.time_us = gate_times({980})});
  SamplingRule rule = finals();
  rule.max_seconds = 1e-6;
  const auto results = sample(candidates(loaded, 1), 1, rule, {.timing = {}, .clock = loaded.clock()});
  ASSERT_LT(results[0].value().time.n, 6);
  EXPECT_EQ(results[0].value().time.stopped_by, "cap");
}

TEST(LoadFor, BringsTheDeviceToTheClocksOfLastingLoad) {
  Loaded loaded(throttled(gate_times({980})));
  const std::vector<Candidate> one = candidates(loaded, 1);
  const SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  Pipeline& pipeline = one[0].pipeline.pipeline();
  loaded.device.rest(10);
  EXPECT_LT(pipeline.time(1, {}).value().front(), 1.01 * 1000);
  const double start = loaded.device.seconds();
  EXPECT_FALSE(load_for(0.2, one[0], context));
  EXPECT_NEAR(loaded.device.seconds() - start, 0.2, 0.02);
  EXPECT_DOUBLE_EQ(pipeline.time(1, {}).value().front(), 1.15 * 1000);

  const std::size_t before = loaded.device.visits().size();
  EXPECT_FALSE(load_for(0, one[0], context));
  EXPECT_EQ(loaded.device.visits().size(), before);
}

TEST(Sample, BurstsFollowRests) {
  Loaded loaded(throttled(gate_times({980, 14980})));
  const std::vector<Candidate> two = candidates(loaded, 2);
  const SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  sample(two, 9, reporting(0.2), context);  // leaves the device at its limit
  const std::size_t before = loaded.device.visits().size();
  const auto results = sample(two, kBurstRounds, bursts(), context);
  EXPECT_LT(results[0].value().time.median_us, 1.1 * 1000);
  EXPECT_LT(results[1].value().time.median_us, 1.1 * 15000);
  for (const auto& result : results) {
    EXPECT_EQ(result.value().rounds_us.size(), static_cast<std::size_t>(kBurstRounds));
    for (const std::vector<double>& burst : result.value().rounds_us) EXPECT_GE(burst.size(), 3u);
    EXPECT_LT(result.value().seconds, 1);
  }

  int rests = 0;
  const auto& visits = loaded.device.visits();
  for (std::size_t i = before + 1; i < visits.size(); ++i) {
    const double gap_s = visits[i].start_s - visits[i - 1].end_s;
    rests += gap_s > 0.0999;
    if (gap_s > 0) {
      EXPECT_LT(visits[i].end_s - visits[i].start_s, 0.06);
    }
  }
  EXPECT_EQ(rests, 2 * kBurstRounds);
}

TEST(Sample, ReplaysFollowReadingAndUntimedSamplesInEveryVisit) {
  Loaded loaded({.time_us = gate_times({980, 7980, 39980})});
  const std::vector<Candidate> three = candidates(loaded, 3);
  std::vector<std::size_t> calls_before;  // each reading
  SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  context.read = [&](double seconds) {
    EXPECT_EQ(seconds, 0.2);
    calls_before.push_back(loaded.device.visits().size());
    loaded.device.read_memory(seconds);
  };
  const auto results = sample(three, 2, replays(2), context);

  const std::vector<std::vector<int>> samples{{3, 10, 200}, {3, 3, 25}, {3, 1, 10}};  // at 1, 8 and 40 ms
  const auto& calls = loaded.device.visits();
  ASSERT_EQ(calls.size(), 3u + 2 * 3 * 3);  // the first three bring the pipelines in
  ASSERT_EQ(calls_before.size(), 6u);
  for (std::size_t visit = 0; visit < 6; ++visit) {
    const std::size_t first = 3 + 3 * visit, candidate = (visit / 3 + visit % 3) % 3;
    EXPECT_EQ(calls_before[visit], first);
    EXPECT_NEAR(calls[first].start_s - calls[first - 1].end_s, 0.2, 1e-9);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(calls[first + i].samples, samples[candidate][i]) << visit;
      EXPECT_EQ(calls[first + i].config.stages.at(Stage::gate), kGates[candidate]) << visit;
      if (i > 0) {
        EXPECT_EQ(calls[first + i].start_s, calls[first + i - 1].end_s) << "a pause in visit " << visit;
      }
    }
  }
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(results[i].value().rounds_us.size(), 2u);
    EXPECT_EQ(results[i].value().time.n, 2 * samples[i][2]) << "all of them count";
  }
}

TEST(Sample, ReplaysDoNotStartUnderTheLoadOfThoseBefore) {
  Loaded loaded(throttled(gate_times({980, 1980})));
  const std::vector<Candidate> two = candidates(loaded, 2);
  SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  context.read = [&](double seconds) { loaded.device.read_memory(seconds); };
  sample(two, 9, reporting(0.2), context);  // leaves the device at its limit
  const auto results = sample(two, 3, replays(3), context);
  for (std::size_t i = 0; i < 2; ++i) {
    const double us = i == 0 ? 1000 : 2000;
    EXPECT_LT(results[i].value().time.min_us, 1.03 * us);
    EXPECT_GT(results[i].value().time.median_us, 1.05 * us);
    EXPECT_LT(results[i].value().time.median_us, 1.12 * us);
  }
}

TEST(Sample, ReplaysAreCutToHalfAndThenSaveRounds) {
  const SamplingRule whole = replays(3);
  EXPECT_EQ(shortened(whole, 60, 2, 3).read_seconds, 0.2);
  const SamplingRule tight = shortened(whole, 1.8, 2, 3);
  EXPECT_NEAR(tight.read_seconds, 0.15, 1e-9);
  EXPECT_NEAR(tight.visit_seconds, 0.15, 1e-9);
  SamplingRule least = shortened(whole, 0.1, 2, 3);
  EXPECT_EQ(least.read_seconds, 0.1);
  EXPECT_EQ(least.visit_seconds, 0.1);

  Loaded loaded({.time_us = gate_times({980, 1980})});
  const std::vector<Candidate> two = candidates(loaded, 2);
  const SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  for (const int rounds : {2, 3}) {
    least.least_rounds = rounds;
    for (const auto& result : sample(two, 3, least, context)) {
      EXPECT_EQ(result.value().rounds_us.size(), static_cast<std::size_t>(rounds));
      EXPECT_GE(result.value().rounds_us.front().size(), 50u);
    }
  }
}

TEST(BeginVisit, ReadsWarmsUpAndSaysHowManySamplesFollow) {
  Loaded loaded({.time_us = gate_times({1980})});
  const std::vector<Candidate> one = candidates(loaded, 1);
  SamplingContext context{.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()};
  double read_s = 0;
  context.read = [&](double seconds) { read_s += seconds; };
  EXPECT_EQ(begin_visit(one[0], replays(3), 3, context).value(), 100);
  EXPECT_EQ(read_s, 0.2);
  ASSERT_EQ(loaded.device.visits().size(), 2u);
  EXPECT_EQ(loaded.device.visits()[0].samples + loaded.device.visits()[1].samples, 13);

  Loaded broken({.time_us = gate_times({1980}), .faults = {{{Stage::gate, kGates[0]}, Fault::nan_time}}});
  EXPECT_FALSE(begin_visit(candidates(broken, 1)[0], replays(3), 3, {.timing = {}, .clock = broken.clock()}));
}

TEST(Sample, ShortenedRulesKeepToTheirTime) {
  for (const double seconds : {0.3, 1.0, 3.0}) {
    for (const SamplingRule& rule : {reporting(0.2), finals(0.2), screening(2, 0.2)}) {
      Loaded loaded({.time_us = gate_times({80, 980, 1980}), .noise = 0.05, .throttle = 0.15, .settle_s = 0.2});
      const std::vector<Candidate> three = candidates(loaded, 3);
      const double start = loaded.device.seconds();
      const auto results = sample(three, 9, shortened(rule, seconds, 3, 9),
                                  {.timing = {}, .clock = loaded.clock(), .rest = loaded.rest()});
      EXPECT_LE(loaded.device.seconds() - start, 1.1 * seconds);
      for (const auto& result : results) EXPECT_GE(result.value().rounds_us.size(), 8u);
    }
  }
}

TEST(SamplingRules, WhereADeviceHasNoPowerLimitNothingIsSpentOnIt) {
  for (const SamplingRule& rule : {screening(), screening(2), finals(), reporting()})
    EXPECT_EQ(rule.lead_in_seconds + rule.settle_seconds + rule.rest_seconds, 0);
  EXPECT_EQ(screening(0, 0.2).lead_in_seconds, 0);  // one at a time, each right after its verification
}

TEST(SamplingRules, EachRungLooksCloser) {
  for (int rung = 0; rung < 2; ++rung) {
    EXPECT_LT(screening(rung).min_samples, screening(rung + 1).min_samples);
    EXPECT_GT(screening(rung).relative_half_width, screening(rung + 1).relative_half_width);
  }
  EXPECT_GE(finals().min_samples, 20);
  EXPECT_EQ(finals().relative_half_width, 0.005);
}

}  // namespace
}  // namespace moetune
