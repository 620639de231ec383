#include "results/staleness.h"

#include <gtest/gtest.h>

#include <functional>

#include "results/samples.h"

namespace moetune {
namespace {

using Reasons = std::vector<std::string>;

Reasons reasons_after(const std::function<void(Environment&)>& change) {
  Environment now = sample_environment();
  change(now);
  return why_stale(legal_best(), sample_environment(), now);
}

TEST(Stale, NothingIsWhereNothingChanged) {
  EXPECT_EQ(reasons_after([](Environment&) {}), Reasons());
  EXPECT_EQ(reasons_after([](Environment& now) {  // of no concern to a kernel's time
              now.created = "2026-01-01T00:00:00Z";
              now.device.id = "cuda:3";
              now.device.uuid = "GPU-7";
              now.build.git_revision = "other";
              now.build.kernels["wgmma"] = "ffffffffffffffff";
            }),
            Reasons());
}

TEST(Stale, WhatChangedIsSaid) {
  EXPECT_EQ(reasons_after([](Environment& now) { now.device.driver = "13.1"; }),
            Reasons{"the driver was 13.0 and is 13.1"});
  EXPECT_EQ(reasons_after([](Environment& now) { now.device.compiler = "nvrtc 12.9"; }),
            Reasons{"the compiler of kernels was nvrtc 13.0 and is nvrtc 12.9"});
  EXPECT_EQ(reasons_after([](Environment& now) { now.device.multiprocessors = 66; }),
            Reasons{"the number of multiprocessors was 132 and is 66"});
  EXPECT_EQ(reasons_after([](Environment& now) {
              now.device.name = "NVIDIA H100";
              now.device.driver = "12.0";
            }),
            Reasons{"the device was NVIDIA H200 and is NVIDIA H100"});
  EXPECT_EQ(reasons_after([](Environment& now) {
              now.build.kernels["mma"] = "ffffffffffffffff";
              now.build.git_revision = "new";
            }),
            Reasons{"the kernels of mma changed between moe-tune 0123456789ab and new"});
  EXPECT_EQ(reasons_after([](Environment& now) {
              now.device.driver = "13.1";
              now.device.compiler = "nvrtc 13.1";
            }).size(),
            2u);
}

TEST(Stale, RecordsWithoutDigestsAreTrustedForTheirRevisionAlone) {
  Environment then = sample_environment();
  then.build.kernels.clear();
  EXPECT_EQ(why_stale(legal_best(), then, sample_environment()), Reasons());
  then.build.git_revision = "old";
  EXPECT_EQ(
      why_stale(legal_best(), then, sample_environment()),
      Reasons{"whether the kernels of mma are the same is not known: it is of moe-tune old, this is 0123456789ab"});
}

TEST(Stale, ConfigsThatCannotRun) {
  Best best = legal_best();
  best.config.stages[Stage::gemm1].config.set("BLOCK_SIZE_M", 17);
  const Reasons reasons = why_stale(best, sample_environment(), sample_environment());
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_TRUE(reasons[0].starts_with("gemm1: mma bm17.bn64.bk128.gm8.w4.st3 is not legal: ")) << reasons[0];
  best = legal_best();
  best.config.stages[Stage::final].engine = "tensorcore";
  EXPECT_EQ(why_stale(best, sample_environment(), sample_environment()),
            Reasons{"final: this moe-tune has no engine 'tensorcore'"});
}

}  // namespace
}  // namespace moetune
