#include "cli/run_options.h"

#include "base/error.h"
#include "cli/command_line.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(RunOptions, Timing) {
  EXPECT_EQ(parse_options<TimingFlags>({}).timing(), TimingOptions{.routing_draws = 3});
  EXPECT_EQ(parse_options<TimingFlags>({"--cache", "warm", "--launch", "stream", "--routing-draws", "1"}).timing(),
            (TimingOptions{.cache = CacheState::warm, .launch = LaunchMode::stream, .routing_draws = 1}));
  EXPECT_THROW(parse_options<TimingFlags>({"--routing-draws", "0"}), CLI::ParseError);
  EXPECT_ERROR(parse_options<TimingFlags>({"--cache", "hot"}).timing(), "cold, warm");
  EXPECT_EQ(parse_options<TimingFlags>({"--load", "replays"}).timing().load, LoadState::replays);
  EXPECT_ERROR(parse_options<TimingFlags>({"--load", "heavy"}).timing(), "lasting, replays");
  EXPECT_THROW(parse_options<TimingFlags>({"--seed", "-1"}), CLI::ParseError);
}

TEST(RunOptions, Impls) {
  EXPECT_EQ(parse_options<ImplOptions>({}).impls(), (std::vector<Impl>{Impl::three_kernel, Impl::merged}));
  EXPECT_EQ(parse_options<ImplOptions>({"--impl", "merged,merged"}).impls(), std::vector<Impl>{Impl::merged});
  EXPECT_ERROR(parse_options<ImplOptions>({"--impl", "merged,two"}).impls(), "two");
  EXPECT_ERROR(parse_options<ImplOptions>({"--impl", "merged,"}).impls(), "empty");
}

TEST(RunOptions, Device) {
  EXPECT_EQ(parse_options<DeviceOptions>({"--device", "cpu"}).open(true)->info().backend, Backend::cpu);
  EXPECT_ERROR(parse_options<DeviceOptions>({"--device", "tpu"}).open(true), "unknown device 'tpu'");
}

}  // namespace
}  // namespace moetune
