// What the tests on a GPU run, of each engine: compiled without one by tests/jit.
#pragma once

#include <vector>

#include "kernel/mma_config.h"
#include "kernel/wgmma_config.h"

namespace moetune {

/// mma: a narrow tile, the smallest pipeline, the widest tile, 64-byte rows, rows wider than the swizzle's period, and
/// more. wgmma, where `is_hopper`: each number of consumers, clusters, split sums, both fused combines, tokens in order
/// and gathered, two blocks on a multiprocessor, stages of more than one panel; swapped: one instruction's least and
/// most tokens, several parts.
inline std::vector<StageConfig> tested_configs(bool is_hopper) {
  std::vector<StageConfig> all;
  for (const Config& config :
       {mma_config(16, 64, 64, 1, 4, 4), mma_config(64, 64, 32, 8, 4, 2), mma_config(128, 256, 64, 8, 8, 3),
        mma_config(32, 32, 128, 4, 4, 3), mma_config(16, 128, 256, 1, 8, 2), mma_config(256, 128, 32, 2, 8, 3),
        mma_config(128, 128, 64, 16, 8, 4), mma_config(64, 256, 64, 1, 8, 2), mma_config(64, 256, 64, 1, 4, 4)})
    all.push_back({"mma", config});
  if (!is_hopper) return all;
  for (const Config& config :
       {wgmma_config(128, 256, 64, 4, 2),
        with(wgmma_config(128, 256, 64, 4, 2), {{"CLUSTER_SIZE_M", 2}, {"fuse_combine", 1}, {"permute_tokens", 1}}),
        with(wgmma_config(128, 256, 64, 4, 2),
             {{"GROUP_SIZE_M", 2}, {"evict_first", 1}, {"permute_tokens", 1}, {"SPLIT_K", 3}}),
        with(wgmma_config(64, 128, 64, 4, 1),
             {{"GROUP_SIZE_M", 1}, {"blocks_per_sm", 2}, {"dynamic", 1}, {"fuse_combine", 1}}),
        with(wgmma_config(192, 128, 64, 4, 3), {{"GROUP_SIZE_M", 4}}),
        with(wgmma_config(128, 256, 64, 4, 2),
             {{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}, {"fuse_combine", 2}, {"permute_tokens", 1}}),
        with(wgmma_config(64, 64, 64, 2, 1), {{"GROUP_SIZE_M", 1}, {"CLUSTER_SIZE_M", 2}, {"dynamic", 1}})})
    all.push_back({"wgmma", config});
  for (const Config& config :
       {with(wgmma_config(8, 64, 128, 6, 1),
             {{"GROUP_SIZE_M", 1}, {"blocks_per_sm", 2}, {"evict_first", 1}, {"dynamic", 1}, {"SPLIT_K", 2}}),
        with(wgmma_config(16, 256, 64, 4, 1), {{"GROUP_SIZE_M", 1}, {"fuse_combine", 1}}),
        wgmma_config(32, 128, 256, 2, 2), with(wgmma_config(256, 128, 64, 3, 2), {{"GROUP_SIZE_M", 1}, {"SPLIT_K", 4}}),
        with(wgmma_config(48, 128, 64, 4, 1),
             {{"GROUP_SIZE_M", 1}, {"blocks_per_sm", 2}, {"dynamic", 1}, {"fuse_combine", 2}, {"SPLIT_K", 2}}),
        with(wgmma_config(80, 128, 64, 4, 1), {{"GROUP_SIZE_M", 1}, {"blocks_per_sm", 2}, {"evict_first", 1}}),
        with(wgmma_config(112, 64, 64, 6, 1), {{"GROUP_SIZE_M", 4}, {"dynamic", 1}}),
        with(wgmma_config(160, 256, 64, 4, 2),
             {{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}, {"fuse_combine", 2}, {"permute_tokens", 1}}),
        with(wgmma_config(96, 128, 64, 3, 1),
             {{"GROUP_SIZE_M", 1}, {"blocks_per_sm", 2}, {"dynamic", 1}, {"fuse_combine", 1}, {"permute_tokens", 1}}),
        with(wgmma_config(128, 128, 64, 6, 2), {{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}, {"permute_tokens", 1}}),
        with(wgmma_config(128, 128, 64, 6, 2), {{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}}),
        with(wgmma_config(192, 192, 64, 4, 3), {{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}, {"permute_tokens", 1}}),
        with(wgmma_config(160, 256, 64, 4, 2), {{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}, {"permute_tokens", 1}})})
    all.push_back({"wgmma_swap_ab", config});
  return all;
}

/// What only the other GEMM does is left out.
inline StageConfig for_stage(Stage stage, StageConfig config) {
  const char* of_other = stage == Stage::final ? "permute_tokens" : "fuse_combine";
  if (config.config.find(of_other)) config.config.set(of_other, 0);
  return config;
}

}  // namespace moetune
