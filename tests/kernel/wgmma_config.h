#pragma once

#include "kernels/wgmma/traits.h"
#include "space/config.h"

namespace moetune {

/// A config of `wgmma` or `wgmma_swap_ab`, of the parameters that most tests vary; the rest is changed with `with`.
inline Config wgmma_config(int m, int n, int k, int stages, int consumers) {
  return {{"BLOCK_SIZE_M", m},   {"BLOCK_SIZE_N", n},    {"BLOCK_SIZE_K", k},
          {"GROUP_SIZE_M", 8},   {"num_stages", stages}, {"num_consumers", consumers},
          {"CLUSTER_SIZE_M", 1}, {"blocks_per_sm", 1},   {"evict_first", 0},
          {"dynamic", 0},        {"fuse_combine", 0},    {"SPLIT_K", 1}};
}

/// `base` with other values: {"num_stages", 1}.
inline Config with(Config base, std::initializer_list<std::pair<const char*, int>> changes) {
  for (const auto& [name, value] : changes) base.set(name, value);
  return base;
}

/// The kernel's own form of a config.
inline wgmma::Config wgmma_traits(bool swap_ab, const Config& c) {
  return {.swap_ab = swap_ab,
          .block_m = c.at("BLOCK_SIZE_M"),
          .block_n = c.at("BLOCK_SIZE_N"),
          .block_k = c.at("BLOCK_SIZE_K"),
          .group_m = c.at("GROUP_SIZE_M"),
          .num_stages = c.at("num_stages"),
          .num_consumers = c.at("num_consumers"),
          .cluster_m = c.at("CLUSTER_SIZE_M"),
          .blocks_per_sm = c.at("blocks_per_sm"),
          .evict_first = c.at("evict_first") != 0,
          .dynamic = c.at("dynamic") != 0,
          .fuse_combine = c.at("fuse_combine") != 0,
          .split_k = c.at("SPLIT_K")};
}

}  // namespace moetune
