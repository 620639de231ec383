#include "cli/random_problems.h"

#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

#include "backend/cuda/cuda_workload.h"
#include "backend/fake/fake_device.h"
#include "base/error.h"
#include "kernel/grouped_gemm.h"
#include "kernel/mma.h"
#include "kernel/wgmma.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(DrawProblem, IsAlwaysValidAndSmall) {
  Random random(1);
  for (int i = 0; i < 3000; ++i) {
    const Problem problem = draw_problem(random);
    EXPECT_NO_THROW(validate(problem)) << to_line(problem);
    EXPECT_LE(problem.M, 300);
    EXPECT_LE(problem.E, 64);
    EXPECT_LE(problem.topk, 8);
    EXPECT_LE(std::max({problem.K, problem.inner(), problem.N2}), 600);
    EXPECT_EQ(parse_problem_line(to_line(problem)), problem);  // a failure is told as such a line
  }
}

TEST(DrawProblem, GoesWhereKernelsGoWrong) {
  Random random(1);
  std::vector<Problem> all;
  for (int i = 0; i < 6000; ++i) all.push_back(draw_problem(random));
  const auto share = [&](auto holds) {
    return static_cast<double>(std::count_if(all.begin(), all.end(), holds)) / static_cast<double>(all.size());
  };
  for (const std::int64_t unit : {16, 64, 128}) {
    EXPECT_GT(share([&](const Problem& p) { return p.K % unit == 0; }), 0.1) << unit;
    EXPECT_GT(share([&](const Problem& p) { return p.K > unit && p.K % unit == 8; }), 0.05) << unit;
    EXPECT_GT(share([&](const Problem& p) { return p.inner() % unit == 8; }), 0.05) << unit;
    EXPECT_GT(share([&](const Problem& p) { return p.N2 % unit == 8; }), 0.05) << unit;
    EXPECT_GT(share([&](const Problem& p) { return p.M == unit + 1; }), 0.005) << unit;
  }
  EXPECT_GT(share([](const Problem& p) { return p.K == 8; }), 0);
  EXPECT_GT(share([](const Problem& p) { return p.M == 1; }), 0.02);
  EXPECT_GT(share([](const Problem& p) { return p.E == 1; }), 0.02);
  EXPECT_GT(share([](const Problem& p) { return p.E > 1 && p.topk == p.E; }), 0.02);
  EXPECT_GT(share([](const Problem& p) { return uses_token_tiles(p); }), 0.05);
  EXPECT_GT(share([](const Problem& p) { return p.slots() > 128 * p.E; }), 0.02);  // several tiles of one expert
  EXPECT_GT(share([](const Problem& p) { return p.ep_ranks > 1; }), 0.15);
  EXPECT_GT(share([](const Problem& p) { return p.ep_ranks > 1 && p.ep_rank == p.ep_ranks - 1; }), 0.03);
  EXPECT_GT(share([](const Problem& p) { return p.topk > p.E; }), 0.01);
  EXPECT_GT(share([](const Problem& p) { return p.ep_ranks > 1 && uses_token_tiles(p); }), 0.01);
  std::set<std::tuple<DType, Activation, Bias, bool, RoutingSpec::Kind>> kinds;
  for (const Problem& p : all) kinds.emplace(p.dtype, p.activation, p.bias, p.weight_on_input, p.routing.kind);
  EXPECT_EQ(kinds.size(), kDTypes.size() * kActivations.size() * kBiases.size() * 2 * 4);
}

/// Says that it is a GPU and what it would compile.
class FakeGpu : public FakeDevice {
 public:
  FakeGpu() : FakeDevice({.time_us = {}}), info_(FakeDevice::info()) {
    info_.backend = Backend::cuda;
    info_.compute_capability = 90;
    info_.shared_memory_per_block = 232448;
    info_.shared_memory_per_multiprocessor = 233472;
    info_.registers_per_multiprocessor = 65536;
  }
  const DeviceInfo& info() const override { return info_; }
  std::vector<KernelSource> kernels(const Problem& problem,
                                    std::span<const std::pair<Stage, StageConfig>> configs) const override {
    std::vector<KernelSource> sources;
    for (const auto& [stage, config] : configs)
      sources.push_back(
          find_engine(config.engine).kernel_plan(config.config, stage, problem, uses_token_tiles(problem)).source);
    return sources;
  }

 private:
  DeviceInfo info_;
};

FamilySource source_of(const Device& device) {
  FamilySource source{.device = device,
                      .spaces = {},
                      .impls = {Impl::three_kernel, Impl::merged},
                      .fills = {Fill::random, Fill::exact_integer},
                      .given = {}};
  source.spaces = SpaceOptions().spaces(device.info());
  return source;
}

TEST(Families, ShareTheirKernelsAndDifferInTheRest) {
  const FakeGpu device;
  const FamilySource source = source_of(device);
  std::set<std::string> engines;
  std::set<Fill> fills;
  double shapes = 0, families = 0;
  for (std::size_t index = 0; index < 24; ++index) {
    const Family family = source.draw(index, 20);
    ASSERT_EQ(family.members.size(), 20u);
    ASSERT_EQ(family.stages.size(), 3u);
    const std::vector<std::pair<Stage, StageConfig>> stages(family.stages.begin(), family.stages.end());
    const auto kernels = device.kernels(family.members.front().problem, stages);
    std::set<std::string> lines;
    std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> widths;
    for (const auto& [problem, data] : family.members) {
      EXPECT_NO_THROW(validate(problem));
      EXPECT_EQ(device.kernels(problem, stages), kernels);
      for (const auto& [stage, config] : stages)
        EXPECT_FALSE(find_engine(config.engine).why_invalid(config.config, stage, problem, device.info()));
      lines.insert(to_line(problem));
      widths.emplace(problem.K, problem.N1, problem.N2);
      fills.insert(data.fill);
    }
    EXPECT_GT(lines.size(), 10u);
    shapes += static_cast<double>(widths.size());
    ++families;
    for (const auto& [stage, config] : stages) engines.insert(config.engine);
    for (const Impl impl : source.impls) EXPECT_EQ(family.config(impl).stages.size(), tunable_stages_of(impl).size());
  }
  EXPECT_GT(shapes / families, 5);
  EXPECT_EQ(engines, (std::set<std::string>{"mma", "wgmma", "wgmma_swap_ab"}));
  EXPECT_EQ(fills.size(), 2u);
}

TEST(Families, AreTheSameForTheSameSeedInWhateverOrder) {
  const FakeGpu device;
  FamilySource source = source_of(device);
  const Family third = source.draw(3, 4);
  source.draw(1, 4);
  const Family again = source.draw(3, 4);
  EXPECT_EQ(again.stages, third.stages);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(again.members[i].problem, third.members[i].problem);
    EXPECT_EQ(again.members[i].data, third.members[i].data);
  }
  source.seed = 2;
  EXPECT_NE(source.draw(3, 4).members[0].problem, third.members[0].problem);
}

TEST(Families, KeepToTheConfigsGiven) {
  const FakeGpu device;
  FamilySource source = source_of(device);
  const StageConfig given{
      .engine = "mma",
      .config = mma_engine()
                    .first_configs(Stage::gate, {.K = 64, .N1 = 64, .N2 = 64, .E = 1, .topk = 1}, device.info())
                    .back()};
  source.given = {{Stage::gate, given}};
  source.impls = {Impl::merged};
  const Family family = source.draw(0, 2);
  EXPECT_EQ(family.stages.at(Stage::gate), given);
  EXPECT_FALSE(family.stages.contains(Stage::gemm1));

  source.given[Stage::gate].config.set("num_stages", 100);
  EXPECT_ERROR(source.draw(0, 2), "no random problem can be computed");
}

}  // namespace
}  // namespace moetune
