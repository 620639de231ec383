#include "backend/fake/fake_device.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "measure/small_problem.h"
#include "measure/statistics.h"

namespace moetune {
namespace {

const PipelineConfig kPipeline = merged(fake_config(32, 32, 4), fake_config(64, 64, 4));

TEST(FakeDevice, TimesFollowTheModel) {
  Loaded loaded({.time_us = small_bowl(), .noise = 0.01});
  const auto pipeline = std::move(loaded.build(kPipeline).value());
  ASSERT_TRUE(pipeline->run());
  const double gate = *small_bowl()(Stage::gate, fake_config(32, 32, 4));
  const double final = *small_bowl()(Stage::final, fake_config(64, 64, 4));
  const std::vector<double> samples = pipeline->time(500, {}).value();
  EXPECT_NEAR(median(samples), gate + final + 10, 0.002 * (gate + final));
  const Summary summary = summarise(samples);
  EXPECT_NEAR(std::log(summary.p90_us / summary.p10_us), 2 * 1.2816 * 0.01, 0.004);
  EXPECT_NEAR(median(pipeline->time_stage(Stage::gate, 500, {}).value()), gate, 0.002 * gate);
  EXPECT_NEAR(median(pipeline->time_stages({Stage::final, Stage::combine}, 500, {}).value()), final + 5, 0.002 * final);
}

TEST(FakeDevice, TheSameSeedGivesTheSameSamples) {
  const auto samples = [](std::uint64_t seed) {
    Loaded loaded({.time_us = small_bowl(), .noise = 0.1, .seed = seed});
    return std::move(loaded.build(kPipeline).value())->time(20, {}).value();
  };
  EXPECT_EQ(samples(1), samples(1));
  EXPECT_NE(samples(1), samples(2));
}

TEST(FakeDevice, SimulatedTimePassesWithCompilationAndSamples) {
  Loaded loaded({.time_us = small_bowl(), .compile_s = 2});
  const auto pipeline = std::move(loaded.build(kPipeline).value());
  EXPECT_DOUBLE_EQ(loaded.device.seconds(), 4);
  EXPECT_TRUE(loaded.build(kPipeline));
  EXPECT_DOUBLE_EQ(loaded.device.seconds(), 4);  // kept
  const double sum = pipeline->time(3, {}).value()[0] * 3;
  EXPECT_NEAR(loaded.device.seconds(), 4 + sum * 1e-6, 1e-9);
}

TEST(FakeDevice, BuildingFailsWithAReason) {
  Loaded loaded({.time_us = recording({{{Stage::gate, fake_config(32, 32, 4)}, 10.0},
                                       {{Stage::final, fake_config(64, 64, 4)}, 10.0},
                                       {{Stage::gate, fake_config(16, 16, 1)}, 10.0}}),
                 .faults = {{{Stage::gate, fake_config(16, 16, 1)}, Fault::out_of_memory}}});
  EXPECT_TRUE(loaded.build(kPipeline));
  const auto outcome = [&](const PipelineConfig& config) { return loaded.build(config).failure().outcome; };
  EXPECT_EQ(outcome(merged(fake_config(128, 128, 4), fake_config(64, 64, 4))), Outcome::invalid);  // not recorded
  EXPECT_EQ(outcome(merged(fake_config(128, 256, 4), fake_config(64, 64, 4))), Outcome::invalid);
  EXPECT_EQ(outcome({.impl = Impl::merged, .stages = {}}), Outcome::invalid);
  EXPECT_EQ(outcome(merged(fake_config(16, 16, 1), fake_config(64, 64, 4))), Outcome::out_of_memory);
}

TEST(FakeDevice, IsSlowerUnderLastingLoadAndRecoversInRests) {
  Loaded loaded({.time_us = small_bowl(), .throttle = 0.2, .settle_s = 0.1});
  const auto pipeline = std::move(loaded.build(kPipeline).value());
  ASSERT_TRUE(pipeline->run());
  EXPECT_EQ(loaded.device.settle_seconds(), 0.1);
  const std::vector<double> times = pipeline->time(2000, {}).value();
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_NEAR(times.back(), 1.2 * times.front(), 1e-6);
  const auto next_us = [&] { return pipeline->time(1, {}).value().front(); };
  EXPECT_NEAR(next_us(), 1.2 * times.front(), 1e-6);
  loaded.device.rest(0.05);
  EXPECT_NEAR(next_us(), 1.1 * times.front(), 1e-6);
  loaded.device.rest(1);
  EXPECT_NEAR(next_us(), times.front(), 1e-6);
  EXPECT_EQ(pipeline->time(2000, {}).value().size(), 2000u);
  loaded.device.read_memory(0.05);
  EXPECT_NEAR(next_us(), 1.1 * times.front(), 1e-6);
}

TEST(FakeDevice, AStickyFaultTakesTheDeviceWithIt) {
  Loaded loaded({.time_us = small_bowl(), .faults = {{{Stage::gate, fake_config(16, 16, 1)}, Fault::sticky_fault}}});
  const auto sound = std::move(loaded.build(kPipeline).value());
  ASSERT_TRUE(sound->run());
  EXPECT_FALSE(std::move(loaded.build(merged(fake_config(16, 16, 1), fake_config(64, 64, 4))).value())->run());
  EXPECT_FALSE(sound->run());
  EXPECT_FALSE(sound->time(1, {}));
}

TEST(FakeDevice, RefilledInputsGiveOtherOutputs) {
  Loaded loaded({.time_us = small_bowl()});
  const auto pipeline = std::move(loaded.build(kPipeline).value());
  const std::uint64_t before = pipeline->run().value().hash;
  EXPECT_EQ(pipeline->run().value().hash, before);
  loaded.workload->refill({.fill = Fill::random, .seed = 8});
  EXPECT_NE(pipeline->run().value().hash, before);
  EXPECT_TRUE(loaded.verify(*pipeline, Impl::merged).result);
}

TEST(FakeDevice, AProblemTooLargeIsAnErrorThatSaysHowMuch) {
  FakeDevice device({.time_us = small_bowl(), .memory_bytes = 1000});
  try {
    device.load(small_problem(), {});
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(std::to_string(device.bytes_needed(small_problem()))), std::string::npos) << message;
    EXPECT_NE(message.find("1000"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace moetune
