// Both implementations on the GPU against the host's reference, over the shapes where kernels go wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "gpu/gpu.h"
#include "kernel/mma.h"
#include "reference/reference.h"

namespace moetune {
namespace {

Config mma_config(int m, int n, int k, int group, int warps, int stages) {
  return {{"BLOCK_SIZE_M", m},     {"BLOCK_SIZE_N", n},  {"BLOCK_SIZE_K", k},
          {"GROUP_SIZE_M", group}, {"num_warps", warps}, {"num_stages", stages}};
}

/// A narrow tile, the smallest pipeline, the widest tile, 64-byte rows, rows wider than the swizzle's period, and more.
std::vector<Config> configs() {
  return {mma_config(16, 64, 64, 1, 4, 4),    mma_config(64, 64, 32, 8, 4, 2),   mma_config(128, 256, 64, 8, 8, 3),
          mma_config(32, 32, 128, 4, 4, 3),   mma_config(16, 128, 256, 1, 8, 2), mma_config(256, 128, 32, 2, 8, 3),
          mma_config(128, 128, 64, 16, 8, 4), mma_config(64, 256, 64, 1, 8, 2)};
}

PipelineConfig pipeline(Impl impl, const Config& first, const Config& second) {
  PipelineConfig config{.impl = impl, .stages = {}};
  const auto stages = tunable_stages_of(impl);
  config.stages[stages[0]] = {.engine = "mma", .config = first};
  config.stages[stages[1]] = {.engine = "mma", .config = second};
  return config;
}

Verdict verify(Workload& workload, Impl impl, const Config& first, const Config& second) {
  const Problem& problem = workload.problem();
  auto built = workload.build(pipeline(impl, first, second));
  if (!built) return {.reason = built.failure().reason};
  const auto run1 = built.value()->run(), run2 = built.value()->run();
  if (!run1 || !run2) return {.reason = (run1 ? run2 : run1).failure().reason};
  auto tokens = choose_tokens(problem, workload.routing(), workload.data().seed, 1e9);
  const ReferenceRows reference =
      compute_reference(problem, impl, workload.routing(), workload.data(), std::move(tokens));
  return judge(problem, workload.data(), reference, built.value()->read_rows(reference.tokens), run1.value(),
               run2.value());
}

/// Every config for both stages, both implementations, both kinds of data; the seed differs for each problem.
void check(const Problem& problem) {
  MOETUNE_NEEDS_GPU();
  validate(problem);
  static std::uint64_t seed = 100;
  const auto all = configs();
  for (const Fill fill : {Fill::random, Fill::exact_integer}) {
    const auto workload = gpu()->load(problem, {.fill = fill, .seed = ++seed});
    for (const Impl impl : {Impl::merged, Impl::three_kernel})
      for (std::size_t i = 0; i < all.size(); i++) {
        const Config &first = all[i], &second = all[(i + 3) % all.size()];
        const Verdict verdict = verify(*workload, impl, first, second);
        EXPECT_TRUE(verdict.passed) << to_line(problem) << " " << to_label(pipeline(impl, first, second)) << " exact "
                                    << verdict.exact << ": " << verdict.reason << " (relative L2 "
                                    << verdict.relative_l2 << ")";
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

TEST(GpuPipeline, EveryTypeActivationAndBias) {
  for (const DType dtype : {DType::bf16, DType::fp16})
    for (const Activation activation :
         {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::swigluoai})
      for (const Bias bias : {Bias::none, Bias::b1, Bias::b2, Bias::both}) {
        Problem problem = kBase;
        problem.dtype = dtype;
        problem.activation = activation;
        problem.bias = bias;
        problem.weight_on_input = bias == Bias::b1;
        check(problem);
      }
}

TEST(GpuPipeline, RefillChangesTheRouting) {
  MOETUNE_NEEDS_GPU();
  const auto workload = gpu()->load(kBase, {.seed = 1});
  const Config config = configs()[0];
  auto built = workload->build(pipeline(Impl::merged, config, config));
  ASSERT_TRUE(built) << built.failure().reason;
  for (const std::uint64_t seed : {2u, 3u}) {
    workload->refill({.seed = seed});
    const auto run1 = built.value()->run(), run2 = built.value()->run();
    ASSERT_TRUE(run1 && run2);
    auto tokens = choose_tokens(kBase, workload->routing(), seed, 1e9);
    const auto reference =
        compute_reference(kBase, Impl::merged, workload->routing(), workload->data(), std::move(tokens));
    const Verdict verdict = judge(kBase, workload->data(), reference, built.value()->read_rows(reference.tokens),
                                  run1.value(), run2.value());
    EXPECT_TRUE(verdict.passed) << verdict.reason;
  }
}

TEST(GpuPipeline, ReplayedGraphLeavesTheSameOutput) {
  MOETUNE_NEEDS_GPU();
  Problem problem = kBase;
  problem.M = 200;
  const auto workload = gpu()->load(problem, {.seed = 9});
  const Config config = configs()[1];
  auto built = workload->build(pipeline(Impl::three_kernel, config, config));
  ASSERT_TRUE(built) << built.failure().reason;
  ASSERT_TRUE(built.value()->run());
  const std::vector<std::int64_t> tokens{0, 1, 57, 199};
  const auto before = built.value()->read_rows(tokens);
  for (const LaunchMode launch : {LaunchMode::graph, LaunchMode::stream})
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

TEST(GpuPipeline, AConfigThatDoesNotFitIsAResult) {
  MOETUNE_NEEDS_GPU();
  const auto workload = gpu()->load(kBase, {.seed = 1});
  const Config wide = mma_config(256, 256, 256, 1, 16, 8);
  const auto built = workload->build(pipeline(Impl::merged, wide, wide));
  ASSERT_FALSE(built);
  EXPECT_EQ(built.failure().outcome, Outcome::invalid);
}

}  // namespace
}  // namespace moetune
