// Both implementations on the GPU against the host's reference, over the shapes where kernels go wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tuple>

#include "gpu/gpu.h"
#include "gpu/tested_configs.h"
#include "kernel/engine.h"
#include "reference/reference.h"

namespace moetune {
namespace {

std::vector<StageConfig> configs() {
  return tested_configs(gpu()->info().compute_capability == 90);
}

/// Both GEMMs in one kernel with this tile, where the engine has such a kernel and registers for it.
std::optional<PipelineConfig> single(StageConfig config, const Problem& problem) {
  if (config.engine == "mma") return std::nullopt;
  for (const auto& [key, value] :
       {std::pair{"CLUSTER_SIZE_M", 1}, {"dynamic", 0}, {"fuse_combine", 0}, {"permute_tokens", 0}, {"SPLIT_K", 1}})
    config.config.set(key, value);
  const auto why = find_engine(config.engine).why_invalid(config.config, Stage::mlp, problem, gpu()->info());
  if (why && why->find("registers") != std::string::npos) return std::nullopt;
  return PipelineConfig{.impl = Impl::merged_single, .stages = {{Stage::mlp, config}}};
}

PipelineConfig pipeline(Impl impl, const StageConfig& first, const StageConfig& second) {
  const auto stages = tunable_stages_of(impl);
  return {.impl = impl,
          .stages = {{stages[0], for_stage(stages[0], first)}, {stages[1], for_stage(stages[1], second)}}};
}

ReferenceRows reference_of(const Workload& workload, Impl impl) {
  const Problem& problem = workload.problem();
  return compute_reference(problem, impl, workload.routing(), workload.data(),
                           choose_tokens(problem, workload.routing(), workload.data().seed, 1e9));
}

Verdict verify(const Workload& workload, Result<std::unique_ptr<Pipeline>>& built, const ReferenceRows& reference) {
  if (!built) return {.reason = built.failure().reason};
  const auto run1 = built.value()->run(), run2 = built.value()->run();
  if (!run1 || !run2) return {.reason = (run1 ? run2 : run1).failure().reason};
  return judge(workload.problem(), workload.data(), reference, built.value()->read_rows(reference.tokens), run1.value(),
               run2.value(), built.value()->is_repeatable());
}

/// Every config for both stages, both implementations, both kinds of data; the seed differs for each problem.
void check(const Problem& problem) {
  MOETUNE_NEEDS_GPU();
  validate(problem);
  static std::uint64_t seed = 100;
  const auto all = configs();
  std::vector<std::pair<Stage, StageConfig>> kernels;
  for (const StageConfig& config : all)
    for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final})
      kernels.emplace_back(stage, for_stage(stage, config));
  for (const StageConfig& config : all)
    if (const auto both = single(config, problem)) kernels.emplace_back(Stage::mlp, both->stages.at(Stage::mlp));
  gpu()->prepare(problem, kernels, [] {});
  for (const Fill fill : {Fill::random, Fill::exact_integer}) {
    const auto workload = gpu()->load(problem, {.fill = fill, .seed = ++seed});
    for (const Impl impl : {Impl::merged, Impl::three_kernel}) {
      const ReferenceRows reference = reference_of(*workload, impl);
      std::vector<PipelineConfig> pipelines;
      for (std::size_t i = 0; i < all.size(); i++) {
        pipelines.push_back(pipeline(impl, all[i], all[(i + 3) % all.size()]));
        if (impl != Impl::merged) continue;
        if (const auto both = single(all[i], problem)) pipelines.push_back(*both);
      }
      for (const PipelineConfig& config : pipelines) {
        auto built = workload->build(config);
        if (!built && built.failure().reason.find("SPLIT_K ") != std::string::npos) continue;  // too many parts
        // Biases and an exact gelu take registers that the largest tiles do not have: refused, which is a result.
        const bool plain = problem.bias == Bias::none && problem.activation != Activation::gelu;
        if (!built && !plain && built.failure().reason.find("spills ") != std::string::npos) continue;
        const Verdict verdict = verify(*workload, built, reference);
        EXPECT_TRUE(verdict.passed) << to_line(problem) << " " << to_label(config) << " exact " << verdict.exact << ": "
                                    << verdict.reason << " (relative L2 " << verdict.relative_l2 << ")";
      }
    }
  }
}

const Problem kBase{.M = 33, .K = 256, .N1 = 384, .N2 = 256, .E = 8, .topk = 2};

Problem with(void (*change)(Problem&)) {
  Problem problem = kBase;
  change(problem);
  return problem;
}

TEST(GpuPipeline, Base) {
  check(kBase);
}
TEST(GpuPipeline, OneToken) {
  check(with([](Problem& p) { p.M = 1; }));
}
TEST(GpuPipeline, OneTokenTokenTiles) {
  check(with([](Problem& p) { p.M = 1, p.E = 64, p.topk = 8; }));
}
// Slots summed up by the second GEMM that are no power of two.
TEST(GpuPipeline, TokenTilesOfSixChoices) {
  check(with([](Problem& p) { p.M = 2, p.E = 64, p.topk = 6; }));
}
TEST(GpuPipeline, TokenTilesOfTenChoices) {
  check(with([](Problem& p) { p.M = 1, p.E = 64, p.topk = 10; }));
}
TEST(GpuPipeline, OneChoice) {
  check(with([](Problem& p) { p.topk = 1; }));
}
TEST(GpuPipeline, OneExpert) {
  check(with([](Problem& p) { p.E = 1, p.topk = 1, p.M = 129; }));
}
TEST(GpuPipeline, AllExperts) {
  check(with([](Problem& p) { p.topk = p.E; }));
}
TEST(GpuPipeline, EmptyExperts) {
  check(with([](Problem& p) { p.E = 300, p.M = 100; }));
}
TEST(GpuPipeline, MostExperts) {
  check(with([](Problem& p) { p.E = 1024, p.M = 700, p.topk = 8, p.K = 64, p.N1 = 64, p.N2 = 64; }));
}
TEST(GpuPipeline, AllTokensToOneExpert) {
  check(with([](Problem& p) { p.M = 300, p.routing = {.kind = RoutingSpec::Kind::one_expert}; }));
}
TEST(GpuPipeline, Zipf) {
  check(with([](Problem& p) {
    p.M = 500, p.E = 32, p.topk = 4, p.routing = {.kind = RoutingSpec::Kind::zipf, .zipf_s = 1.2};
  }));
}
TEST(GpuPipeline, Balanced) {
  check(with([](Problem& p) { p.M = 256, p.routing = {.kind = RoutingSpec::Kind::balanced}; }));
}
TEST(GpuPipeline, LeastK) {
  check(with([](Problem& p) { p.K = 8; }));
}
TEST(GpuPipeline, LeastEverything) {
  check({.M = 1, .K = 8, .N1 = 16, .N2 = 8, .E = 1, .topk = 1});
}
TEST(GpuPipeline, JustPastATile) {
  check(with([](Problem& p) { p.M = 129, p.E = 1, p.topk = 1, p.K = 264, p.N1 = 528, p.N2 = 264; }));
}
TEST(GpuPipeline, Inner88) {
  check(with([](Problem& p) { p.N1 = 176; }));
}
TEST(GpuPipeline, Inner96) {
  check(with([](Problem& p) { p.N1 = 192; }));
}
TEST(GpuPipeline, Inner176) {
  check(with([](Problem& p) { p.N1 = 352; }));
}
TEST(GpuPipeline, Inner2880) {
  check(with([](Problem& p) { p.N1 = 5760, p.K = 2880, p.N2 = 2880, p.M = 70, p.E = 4; }));
}
TEST(GpuPipeline, OtherOutputWidth) {
  check(with([](Problem& p) { p.N2 = 88; }));
}
TEST(GpuPipeline, ManyRows) {
  check(with([](Problem& p) { p.M = 3000, p.E = 4, p.topk = 3; }));
}
TEST(GpuPipeline, SeveralRoutingBlocks) {
  check(with([](Problem& p) { p.M = 5000, p.topk = 8, p.E = 24, p.K = 64, p.N1 = 64, p.N2 = 64; }));
}

// Ranks of expert parallelism: choices of other ranks' experts have no row.
TEST(GpuPipeline, RankOfFour) {
  check(with([](Problem& p) { p.M = 100, p.ep_ranks = 4, p.ep_rank = 2, p.bias = Bias::both; }));
}
TEST(GpuPipeline, RankWithManyRows) {
  check(with([](Problem& p) { p.M = 2000, p.E = 4, p.topk = 3, p.ep_ranks = 2, p.ep_rank = 1; }));
}
TEST(GpuPipeline, RankThatHasExpertZero) {
  check(with([](Problem& p) { p.M = 200, p.ep_ranks = 8, p.routing = {.kind = RoutingSpec::Kind::one_expert}; }));
}
TEST(GpuPipeline, RankWithFewTokensOfItsOwn) {
  check(with([](Problem& p) { p.M = 300, p.E = 2, p.ep_ranks = 64, p.ep_rank = 63; }));
}
TEST(GpuPipeline, RankWithFewerExpertsThanChoices) {
  check(with([](Problem& p) { p.E = 1, p.topk = 5, p.ep_ranks = 8, p.ep_rank = 3; }));
}
TEST(GpuPipeline, RankThatNoTokenChose) {
  check(with([](Problem& p) {
    p.topk = 1, p.ep_ranks = 2, p.ep_rank = 1, p.routing = {.kind = RoutingSpec::Kind::one_expert};
  }));
}
TEST(GpuPipeline, RankZipfSeveralRoutingBlocks) {
  check(with([](Problem& p) {
    p.M = 5000, p.topk = 8, p.E = 6, p.K = 64, p.N1 = 64, p.N2 = 64, p.ep_ranks = 4, p.ep_rank = 1,
    p.routing = {.kind = RoutingSpec::Kind::zipf, .zipf_s = 1};
  }));
}
TEST(GpuPipeline, RankWithTokenTiles) {
  check(with([](Problem& p) { p.M = 2, p.E = 64, p.topk = 8, p.ep_ranks = 2, p.ep_rank = 1; }));
}
TEST(GpuPipeline, RankWithTokenTilesThatNoTokenChose) {
  check(with([](Problem& p) {
    p.M = 3, p.E = 64, p.topk = 1, p.ep_ranks = 2, p.ep_rank = 1, p.routing = {.kind = RoutingSpec::Kind::one_expert};
  }));
}
// The fused sum's counters are left as zeros: the next routing finds them so.
TEST(GpuPipeline, RerouteOfARankChangesWhatIsHere) {
  MOETUNE_NEEDS_GPU();
  for (const std::int64_t E : {8, 128}) {
    Problem problem = kBase;
    problem.M = E == 8 ? 150 : 4, problem.E = E, problem.topk = 4, problem.ep_ranks = 2, problem.ep_rank = 1;
    const auto workload = gpu()->load(problem, {.seed = 1});
    for (const StageConfig& config : configs()) {
      auto built = workload->build(pipeline(Impl::merged, config, config));
      if (!built && built.failure().reason.find("SPLIT_K ") != std::string::npos) continue;
      ASSERT_TRUE(built) << built.failure().reason;
      for (const int draw : {1, 2, 3}) {
        workload->reroute(draw);
        const Verdict verdict = verify(*workload, built, reference_of(*workload, Impl::merged));
        EXPECT_TRUE(verdict.passed) << to_label(config) << " draw " << draw << ": " << verdict.reason;
      }
    }
  }
}

/// Thousands of kernels, so one dtype and activation at a time.
class GpuPipelineOf : public testing::TestWithParam<std::tuple<DType, Activation>> {};

TEST_P(GpuPipelineOf, EveryBias) {
  for (const Bias bias : {Bias::none, Bias::b1, Bias::b2, Bias::both}) {
    Problem problem = kBase;
    std::tie(problem.dtype, problem.activation) = GetParam();
    problem.bias = bias;
    problem.weight_on_input = bias == Bias::b1;
    check(problem);
  }
}
INSTANTIATE_TEST_SUITE_P(, GpuPipelineOf,
                         testing::Combine(testing::Values(DType::bf16, DType::fp16),
                                          testing::Values(Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                                          Activation::swigluoai)),
                         [](const auto& each) {
                           return fmt::format("{}_{}", to_string(std::get<0>(each.param)),
                                              to_string(std::get<1>(each.param)));
                         });

TEST(GpuPipeline, RefillChangesTheRouting) {
  MOETUNE_NEEDS_GPU();
  const auto workload = gpu()->load(kBase, {.seed = 1});
  const StageConfig config = configs()[0];
  auto built = workload->build(pipeline(Impl::merged, config, config));
  ASSERT_TRUE(built) << built.failure().reason;
  for (const std::uint64_t seed : {2u, 3u}) {
    workload->refill({.seed = seed});
    const Verdict verdict = verify(*workload, built, reference_of(*workload, Impl::merged));
    EXPECT_TRUE(verdict.passed) << verdict.reason;
  }
}

TEST(GpuPipeline, ReplayedGraphLeavesTheSameOutput) {
  MOETUNE_NEEDS_GPU();
  Problem problem = kBase;
  problem.M = 200;
  const auto workload = gpu()->load(problem, {.seed = 9});
  const StageConfig config = configs()[1];
  auto built = workload->build(pipeline(Impl::three_kernel, config, config));
  ASSERT_TRUE(built) << built.failure().reason;
  ASSERT_TRUE(built.value()->run());
  const std::vector<std::int64_t> tokens{0, 1, 57, 199};
  const auto before = built.value()->read_rows(tokens);
  for (const LaunchMode launch : kLaunchModes)
    for (const CacheState cache : {CacheState::cold, CacheState::warm}) {
      const auto times = built.value()->time(5, {.cache = cache, .launch = launch});
      ASSERT_TRUE(times) << times.failure().reason;
      ASSERT_EQ(times.value().size(), 5u);
      for (const double us : times.value()) EXPECT_GT(us, 0);
      for (const Stage stage : stages_of(Impl::three_kernel)) {
        const auto stage_times = built.value()->time_stage(stage, 3, {.cache = cache, .launch = launch});
        ASSERT_TRUE(stage_times) << stage_times.failure().reason;
      }
    }
  EXPECT_EQ(built.value()->read_rows(tokens), before);
}

// Blocks take tiles in another order each time, and what an earlier tile left in shared memory beside a tile's rows
// must not show: neither in the result nor in its last bit.
TEST(GpuPipeline, EveryRunOfDynamicTilesGivesTheSameBits) {
  MOETUNE_NEEDS_GPU();
  if (gpu()->info().compute_capability != 90) GTEST_SKIP() << "no Hopper GPU";
  Problem problem = kBase;
  problem.M = 4099, problem.N1 = 2048, problem.E = 61, problem.topk = 4;
  const auto workload = gpu()->load(problem, {.seed = 9});
  for (const auto& [engine, block_m, permute_tokens] :
       {std::tuple{"wgmma_swap_ab", 128, 0}, {"wgmma_swap_ab", 160, 0}, {"wgmma_swap_ab", 160, 1}, {"wgmma", 128, 0}}) {
    const StageConfig config{
        engine, with(wgmma_config(block_m, 256, 64, 3, 2), {{"dynamic", 1}, {"permute_tokens", permute_tokens}})};
    auto built = workload->build(pipeline(Impl::merged, config, config));
    ASSERT_TRUE(built) << built.failure().reason;
    const Result<OutputScan> first = built.value()->run();
    ASSERT_TRUE(first) << first.failure().reason;
    for (int i = 0; i < 10; i++) {
      const Result<OutputScan> again = built.value()->run();
      ASSERT_TRUE(again) << again.failure().reason;
      EXPECT_EQ(again.value().hash, first.value().hash) << to_label(config) << ", run " << i;
    }
  }
}

TEST(GpuPipeline, AConfigThatDoesNotFitIsAResult) {
  MOETUNE_NEEDS_GPU();
  const auto workload = gpu()->load(kBase, {.seed = 1});
  const StageConfig wide{"mma", mma_config(256, 256, 256, 1, 16, 8)};
  const auto built = workload->build(pipeline(Impl::merged, wide, wide));
  ASSERT_FALSE(built);
  EXPECT_EQ(built.failure().outcome, Outcome::invalid);
}

}  // namespace
}  // namespace moetune
