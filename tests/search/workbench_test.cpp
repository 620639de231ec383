#include "search/workbench.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "base/error.h"
#include "search/tuning.h"

namespace moetune {
namespace {

const PipelineConfig kPipeline = merged(fake_config(32, 32, 4), fake_config(64, 64, 4));

struct Benched {
  explicit Benched(FakeSpec spec) : device(std::move(spec)), options(fake_options(device)) {
    bench.emplace(device, problem, std::vector{Impl::three_kernel, Impl::merged}, options, events, 0.0);
  }
  FakeDevice device;
  Problem problem = small_problem();
  TuneOptions options;
  Recorder events;
  std::optional<Workbench> bench;
};

TEST(Workbench, AnAttemptThatWorksIsVerifiedAndSaysWhatItIs) {
  Benched with({.time_us = small_bowl()});
  Attempt attempt = with.bench->attempt(kPipeline, Trial::Phase::screen, Stage::gate);
  ASSERT_TRUE(attempt.is_verified());
  EXPECT_TRUE(with.events.trials.empty());  // not before it is reported
  with.bench->report(attempt, Measurement{.time = summarise(std::vector<double>{1, 2, 3}), .rounds_us = {{1, 2, 3}}});
  ASSERT_EQ(with.events.trials.size(), 1u);
  const Trial& trial = with.events.trials.front();
  EXPECT_EQ(trial.outcome, Outcome::ok);
  EXPECT_EQ(trial.config, kPipeline);
  EXPECT_EQ(trial.stage, Stage::gate);
  EXPECT_EQ(trial.data.seed, with.options.seed);
  EXPECT_EQ(trial.time->median_us, 2);
  EXPECT_TRUE(trial.verdict->passed);
  EXPECT_GT(trial.wall_s, 0);
}

TEST(Workbench, AFailureHasItsReasonAndNoTime) {
  Benched with({.time_us = small_bowl(), .faults = {{{Stage::gate, fake_config(32, 32, 4)}, Fault::compile_error}}});
  Attempt attempt = with.bench->attempt(kPipeline, Trial::Phase::screen, Stage::gate);
  EXPECT_FALSE(attempt.is_verified());
  with.bench->report(attempt);
  const Trial& trial = with.events.trials.front();
  EXPECT_EQ(trial.outcome, Outcome::compile_error);
  EXPECT_FALSE(trial.reason.empty());
  EXPECT_FALSE(trial.time);
  EXPECT_FALSE(trial.verdict);
}

TEST(Workbench, TheFirstTrialOfAConfigHasItsShareOfCompiling) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.compile_s = 0.5;
  Benched with(std::move(spec));
  const std::vector<PipelineConfig> configs{kPipeline, merged(fake_config(16, 16, 1), fake_config(64, 64, 4))};
  with.bench->prepare(configs);  // three stage configs in all
  with.bench->prepare(configs);
  EXPECT_DOUBLE_EQ(with.bench->attempt(configs[0], Trial::Phase::screen, Stage::gate).trial.compile_s, 1.0);
  EXPECT_DOUBLE_EQ(with.bench->attempt(configs[0], Trial::Phase::screen, Stage::gate).trial.compile_s, 0);
  EXPECT_DOUBLE_EQ(with.bench->attempt(configs[1], Trial::Phase::screen, Stage::gate).trial.compile_s, 0.5);
}

/// Compiles once it may.
class SlowCompiler final : public CompilingDevice {
 public:
  using CompilingDevice::CompilingDevice;
  void prepare(const Problem&, std::span<const std::pair<Stage, StageConfig>> configs,
               const std::function<void()>&) override {
    may.wait();
    prepared += static_cast<int>(configs.size());
  }
  std::promise<void> allow;
  std::shared_future<void> may = allow.get_future().share();
  std::atomic<int> prepared = 0;
};

TEST(Workbench, WhatIsCompiledBesideOtherWorkIsNotWaitedForLongerThanAsked) {
  SlowCompiler device(FakeSpec{.time_us = small_bowl()});
  const Problem problem = small_problem();
  const TuneOptions options = fake_options(device);
  Recorder events;
  const std::vector<PipelineConfig> slow{kPipeline}, none;
  {
    Workbench bench(device, problem, {Impl::merged}, options, events, 0.0);
    bench.begin_to_prepare(slow);
    bench.begin_to_prepare(slow);  // once is enough
    EXPECT_FALSE(bench.prepared_within(0.01, slow));
    EXPECT_FALSE(bench.is_prepared(kPipeline));
    EXPECT_TRUE(bench.prepared_within(0.01, none)) << "waits for what nobody wants";
    EXPECT_EQ(device.prepared, 0);
    device.allow.set_value();
    EXPECT_TRUE(bench.prepared_within(60, slow));
    EXPECT_TRUE(bench.is_prepared(kPipeline));
  }
  EXPECT_EQ(device.prepared, 2);  // its two stages
}

TEST(Workbench, TakesInWhatHasGotReadyMeanwhile) {
  SlowCompiler device(FakeSpec{.time_us = small_bowl()});
  const Problem problem = small_problem();
  const TuneOptions options = fake_options(device);
  Recorder events;
  Workbench bench(device, problem, {Impl::merged}, options, events, 0.0);
  bench.begin_to_prepare({&kPipeline, 1});
  bench.take_in_prepared();
  EXPECT_FALSE(bench.is_prepared(kPipeline));
  device.allow.set_value();
  for (int i = 0; i < 1000 && !bench.is_prepared(kPipeline); i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    bench.take_in_prepared();
  }
  EXPECT_TRUE(bench.is_prepared(kPipeline));
  EXPECT_EQ(device.prepared, 2);
}

TEST(Workbench, JudgesByTheDataThereIs) {
  Benched with(
      {.time_us = small_bowl(), .faults = {{{Stage::gate, fake_config(32, 32, 4)}, Fault::wrong_on_other_data}}});
  Attempt attempt = with.bench->attempt(kPipeline, Trial::Phase::final, std::nullopt);
  ASSERT_TRUE(attempt.is_verified());
  with.bench->refill({.fill = Fill::random, .seed = 99});
  const Attempt again = with.bench->verify_again(kPipeline, std::move(attempt.pipeline));
  EXPECT_FALSE(again.is_verified());
  EXPECT_EQ(again.trial.outcome, Outcome::incorrect);
  EXPECT_EQ(again.trial.data.seed, 99u);
  const Attempt sound =
      with.bench->attempt(merged(fake_config(64, 64, 4), fake_config(64, 64, 4)), Trial::Phase::final, std::nullopt);
  EXPECT_TRUE(sound.is_verified());
}

// On a device that leaves the host idle, references are computed ahead: those that were announced, and no others.
TEST(Workbench, JudgesByWhatWasAnnouncedOnlyWhereThatCame) {
  SlowCompiler device(FakeSpec{.time_us = small_bowl()});
  device.allow.set_value();
  const Problem problem = small_problem();
  const TuneOptions options = fake_options(device);
  Recorder events;
  for (const std::uint64_t announced : {99u, 98u}) {
    Workbench bench(device, problem, {Impl::merged}, options, events, 0.0);
    bench.announce({.fill = Fill::random, .seed = announced});
    EXPECT_TRUE(bench.attempt(kPipeline, Trial::Phase::final, std::nullopt).is_verified());
    bench.refill({.fill = Fill::random, .seed = 99});
    EXPECT_TRUE(bench.attempt(kPipeline, Trial::Phase::final, std::nullopt).is_verified()) << announced;
    bench.refill({.fill = Fill::random, .seed = 97});
    EXPECT_TRUE(bench.attempt(kPipeline, Trial::Phase::final, std::nullopt).is_verified());
  }
}

TEST(Workbench, SaysWhereTheSecondsWent) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.compile_s = 0.5;
  Benched with(std::move(spec));
  with.bench->prepare({&kPipeline, 1});
  EXPECT_DOUBLE_EQ(with.bench->spent().compiling, 1.0);
  const double loaded_s = with.bench->spent().on_device;
  const Attempt attempt = with.bench->attempt(kPipeline, Trial::Phase::final, std::nullopt);
  const double verified_s = with.bench->spent().on_device;
  EXPECT_NEAR(verified_s - loaded_s, attempt.trial.wall_s, 1e-9);
  const Candidate candidate{.pipeline = *attempt.verified};
  const double seconds = with.bench->sample({&candidate, 1}, 1, screening()).front().value().seconds;
  EXPECT_GT(seconds, 0);
  EXPECT_GE(with.bench->spent().on_device - verified_s, 0.99 * seconds);
  EXPECT_DOUBLE_EQ(with.bench->spent().compiling, 1.0);
}

TEST(Workbench, AProblemThatDoesNotFitIsAnError) {
  EXPECT_THROW(Benched({.time_us = small_bowl(), .memory_bytes = 100}), Error);
}

}  // namespace
}  // namespace moetune
