#pragma once

#include "space/config.h"

namespace moetune {

/// A config of `wgmma` or `wgmma_swap_ab`, of the parameters that most tests vary; the rest is changed with `with`.
inline Config wgmma_config(int m, int n, int k, int stages, int consumers) {
  return {{"BLOCK_SIZE_M", m},   {"BLOCK_SIZE_N", n},    {"BLOCK_SIZE_K", k},
          {"GROUP_SIZE_M", 8},   {"num_stages", stages}, {"num_consumers", consumers},
          {"CLUSTER_SIZE_M", 1}, {"blocks_per_sm", 1},   {"evict_first", 0},
          {"dynamic", 0},        {"fuse_combine", 0},    {"permute_tokens", 0},
          {"SPLIT_K", 1}};
}

/// `base` with other values: {"num_stages", 1}.
inline Config with(Config base, std::initializer_list<std::pair<const char*, int>> changes) {
  for (const auto& [name, value] : changes) base.set(name, value);
  return base;
}

}  // namespace moetune
