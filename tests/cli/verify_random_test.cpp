#include "cli/verify_random.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "measure/small_problem.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

struct Failed {
  Problem problem;
  PipelineConfig config;
  Failure failure;
};

struct Found {
  RandomTally tally;
  std::vector<Failed> failures;
  std::size_t left_out = 0, steps = 0;
};

/// Half of the fake engine's configs have BLOCK_SIZE_M = 16.
Found run(FakeDevice& device, std::size_t count, std::size_t stop_after = 1000) {
  FamilySource source{
      .device = device,
      .spaces = {.engines = {&fake_engine()}, .by_engine = {{"fake", fake_search_space()}}, .by_stage = {}},
      .impls = {Impl::three_kernel, Impl::merged},
      .fills = {Fill::random, Fill::exact_integer},
      .given = {}};
  SearchSpace& space = source.spaces.by_engine.at("fake");
  for (const char* axis : {"BLOCK_SIZE_M=16,32", "BLOCK_SIZE_N=64", "num_warps=1"}) restrict_axis(space, axis);
  Found done;
  done.tally =
      verify_random(device, source, count,
                    {.on_failure =
                         [&](const Family::Member& member, const PipelineConfig& config, const Failure& failure) {
                           done.failures.push_back({.problem = member.problem, .config = config, .failure = failure});
                         },
                     .on_left_out = [&](const PipelineConfig&, const Failure&) { ++done.left_out; },
                     .on_progress =
                         [&](const Family::Member&, std::size_t seen) {
                           EXPECT_EQ(seen, done.steps);
                           ++done.steps;
                         },
                     .should_stop = [&] { return done.steps >= stop_after; }});
  return done;
}

FakeSpec with_fault(Stage stage, Fault fault) {
  return {.time_us = small_bowl(), .faults = {{{stage, fake_config(16, 64, 1)}, fault}}};
}

TEST(VerifyRandom, PassesWhatIsRight) {
  FakeDevice device({.time_us = small_bowl()});
  const Found done = run(device, 5);
  EXPECT_EQ(done.tally, (RandomTally{.problems = 5, .failed = 0}));
  EXPECT_EQ(done.steps, 5u);
}

TEST(VerifyRandom, TellsEveryFailureAndGoesOn) {
  FakeDevice device(with_fault(Stage::gate, Fault::wrong_result));
  const Found done = run(device, 5);
  EXPECT_EQ(done.tally.problems, 5u);
  EXPECT_EQ(done.tally.failed, done.failures.size());
  EXPECT_GT(done.failures.size(), 0u);
  EXPECT_LT(done.failures.size(), 5u);
  for (const Failed& each : done.failures) {
    EXPECT_EQ(each.config.impl, Impl::merged);
    EXPECT_EQ(each.config.stages.at(Stage::gate), fake_config(16, 64, 1));
    EXPECT_EQ(each.failure.outcome, Outcome::incorrect);
  }
}

TEST(VerifyRandom, AProblemThatFailsTwiceCountsOnce) {
  FakeDevice device(with_fault(Stage::final, Fault::nan_output));
  const Found done = run(device, 5);
  EXPECT_GT(done.tally.failed, 0u);
  EXPECT_EQ(done.failures.size(), 2 * done.tally.failed);
}

TEST(VerifyRandom, WhatDoesNotCompileIsReplaced) {
  FakeDevice device(with_fault(Stage::gemm1, Fault::compile_error));
  const Found done = run(device, 5);
  EXPECT_EQ(done.tally, (RandomTally{.problems = 5, .failed = 0}));
  EXPECT_GT(done.left_out, 0u);
}

TEST(VerifyRandom, WhereNothingCompilesTheReasonIsToldAtOnce) {
  FakeSpec spec = with_fault(Stage::final, Fault::compile_error);
  spec.faults[{Stage::final, fake_config(32, 64, 1)}] = Fault::compile_error;
  FakeDevice device(spec);
  EXPECT_ERROR(run(device, 5), "planted: does not compile");
}

TEST(VerifyRandom, StopsWhenAsked) {
  FakeDevice device({.time_us = small_bowl()});
  EXPECT_EQ(run(device, 5, 2).tally.problems, 2u);
}

}  // namespace
}  // namespace moetune
