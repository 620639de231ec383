#include "isolation/watched_device.h"

#include <gtest/gtest.h>

#include "measure/small_problem.h"
#include "problem/work.h"

namespace moetune {
namespace {

struct Log final : Watch {
  void begin(const PipelineConfig& config, double seconds) override {
    EXPECT_FALSE(open) << "two at a time";
    open = true;
    configs.push_back(config);
    limits.push_back(seconds);
  }
  void end() override { open = false; }
  void lost(const PipelineConfig& config, const Failure& failure) override {
    EXPECT_EQ(config, configs.back());
    losses.push_back(failure.reason);
  }

  bool open = false;
  std::vector<PipelineConfig> configs;
  std::vector<double> limits;
  std::vector<std::string> losses;
};

const PipelineConfig kPipeline = merged(fake_config(32, 32, 4), fake_config(64, 64, 4));
const Patience kPatience{.seconds = 2, .times_roofline = 10, .build_seconds = 5};

TEST(WatchedDevice, AnnouncesEveryBuildAndRun) {
  FakeDevice device({.time_us = small_bowl()});
  const Ceilings ceilings = device.measure_ceilings();
  Log log;
  const auto watched = watch_device(device, ceilings, kPatience, log);
  EXPECT_EQ(watched->info().name, device.info().name);
  const auto workload = watched->load(small_problem(), {});
  EXPECT_TRUE(log.configs.empty());
  auto pipeline = std::move(workload->build(kPipeline).value());
  EXPECT_TRUE(pipeline->run());
  EXPECT_TRUE(pipeline->time(7, {}));
  EXPECT_TRUE(pipeline->time_stage(Stage::gate, 3, {}));
  EXPECT_FALSE(log.open);
  EXPECT_EQ(log.configs, std::vector(4, kPipeline));
  // The last three as long as so many runs may take.
  const double run_s = 1e-6 * roofline_us(pipeline_work(small_problem(), most_load(small_problem())), ceilings);
  ASSERT_GT(run_s, 0);
  EXPECT_EQ(log.limits[0], 7);
  EXPECT_DOUBLE_EQ(log.limits[1], 2 + 10 * run_s);
  EXPECT_DOUBLE_EQ(log.limits[2], 2 + 70 * run_s);
  EXPECT_DOUBLE_EQ(log.limits[3], 2 + 30 * run_s);
  EXPECT_EQ(device.visits().size(), 2u);
  const double before = device.seconds();
  watched->read_memory(0.25);
  EXPECT_EQ(device.seconds() - before, 0.25);
  EXPECT_EQ(log.configs.size(), 4u) << "no config can hang it";
}

TEST(WatchedDevice, TellsAFaultThatTookTheDeviceFromOneThatDidNot) {
  const StageConfig sticky = fake_config(64, 32, 4), refused = fake_config(32, 64, 4);
  FakeDevice device(
      {.time_us = small_bowl(),
       .faults = {{{Stage::gate, sticky}, Fault::sticky_fault}, {{Stage::gate, refused}, Fault::launch_error}}});
  Log log;
  const auto watched = watch_device(device, {}, kPatience, log);
  const auto workload = watched->load(small_problem(), {});
  EXPECT_FALSE(workload->build(merged(refused, refused)).value()->run());
  EXPECT_TRUE(log.losses.empty());
  EXPECT_FALSE(watched->is_lost());
  EXPECT_FALSE(workload->build(merged(sticky, refused)).value()->run());
  EXPECT_EQ(log.losses, std::vector<std::string>{"planted: illegal address"});
  EXPECT_TRUE(watched->is_lost());
}

}  // namespace
}  // namespace moetune
