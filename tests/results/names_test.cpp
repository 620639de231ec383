#include "results/names.h"

#include "base/error.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(Names, RoundTrip) {
  for (const Fill fill : {Fill::random, Fill::exact_integer}) EXPECT_EQ(parse_fill(to_string(fill)), fill);
  for (const CacheState cache : {CacheState::cold, CacheState::warm})
    EXPECT_EQ(parse_cache_state(to_string(cache)), cache);
  for (const LaunchMode launch : kLaunchModes) EXPECT_EQ(parse_launch_mode(to_string(launch)), launch);
  for (const LoadState load : kLoadStates) EXPECT_EQ(parse_load_state(to_string(load)), load);
  for (const Backend backend : {Backend::cpu, Backend::cuda, Backend::fake})
    EXPECT_EQ(parse_backend(to_string(backend)), backend);
}

TEST(Names, UnknownNamesListTheKnownOnes) {
  EXPECT_ERROR(parse_cache_state("lukewarm"), "unknown cache state 'lukewarm'; known: cold, warm");
  EXPECT_ERROR(parse_fill(""), "random, exact_integer");
}

TEST(Names, BenchmarksOfDifferentProblemsHaveDifferentNames) {
  Problem problem = sample_problem();
  EXPECT_EQ(benchmark_name(problem, Impl::merged), "qwen3-30b-a3b/zipf:1.5/M:16/merged");
  problem.ep_ranks = 4, problem.ep_rank = 1;
  EXPECT_EQ(benchmark_name(problem, Impl::merged), "qwen3-30b-a3b/ep:4/rank:1/zipf:1.5/M:16/merged");
  problem.ep_ranks = 1, problem.ep_rank = 0;
  problem.routing = {};
  problem.model.clear();
  problem.dtype = DType::fp16;
  EXPECT_EQ(benchmark_name(problem, Impl::merged), "K:2048/N1:1536/N2:2048/E:128/topk:8/fp16/M:16/merged");
}

}  // namespace
}  // namespace moetune
