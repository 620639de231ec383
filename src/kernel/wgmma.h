#pragma once

#include "kernel/engine.h"
#include "kernels/wgmma/traits.h"

namespace moetune {

/// The engines of compute capability 9.0 (kernels/wgmma): tensor copies, a warpgroup that copies and up to three that
/// multiply, persistent blocks. Parameters of both:
///   BLOCK_SIZE_M    tokens in a tile
///   BLOCK_SIZE_N    weight rows in a tile
///   BLOCK_SIZE_K    depth of a stage
///   GROUP_SIZE_M    row tiles walked before the next column tile
///   num_stages      stages of shared memory
///   num_consumers   warpgroups that multiply
///   CLUSTER_SIZE_M  blocks that share the weights they load
///   blocks_per_sm   resident blocks
///   evict_first     1: weights leave the L2 first
///   dynamic         1: blocks take tiles from a common counter as they get done; 0: in a fixed order
///   permute_tokens  1: the first GEMM's tokens are put in expert order by a kernel before it, 0: gathered row by row
///   fuse_combine    the second GEMM sums over topk too; 1: in warps that have nothing to copy, 2: adding rows to the
///                   output in any order, so that bits differ from run to run
///   SPLIT_K         parts that the sum over K of a tile is divided into
///
/// `wgmma` multiplies 64 tokens by BLOCK_SIZE_N weight rows at a time: many rows per expert.
const Engine& wgmma_engine();
/// `wgmma_swap_ab` multiplies 64 weight rows by BLOCK_SIZE_M tokens: few rows per expert.
const Engine& wgmma_swap_ab_engine();

/// A config of these in the kernel's own form. Throws Error naming a parameter that is missing.
wgmma::Config wgmma_kernel_config(const Config& config, bool swap_ab);

}  // namespace moetune
