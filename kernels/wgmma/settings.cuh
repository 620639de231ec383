// What one compilation of the kernel is for. NVRTC compiles it once per config with these macros:
// - SWAP_AB, BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, NUM_STAGES, NUM_CONSUMERS, CLUSTER_SIZE_M, BLOCKS_PER_SM,
//   EVICT_FIRST, DYNAMIC, FUSE_COMBINE, PERMUTE_TOKENS, SPLIT_K (GROUP_SIZE_M is an argument: no need to compile it)
// - those of kernels/lib/gemm_settings.cuh, and KERNEL_NAME
#pragma once

#include "kernels/lib/arguments.h"
#include "kernels/lib/gemm_settings.cuh"
#include "kernels/lib/tensor_map.h"
#include "kernels/wgmma/traits.h"

namespace moetune::wgmma {

constexpr Config kConfig{.swap_ab = SWAP_AB,
                         .block_m = BLOCK_SIZE_M,
                         .block_n = BLOCK_SIZE_N,
                         .block_k = BLOCK_SIZE_K,
                         .group_m = 1,  // see GemmArguments
                         .num_stages = NUM_STAGES,
                         .num_consumers = NUM_CONSUMERS,
                         .cluster_m = CLUSTER_SIZE_M,
                         .blocks_per_sm = BLOCKS_PER_SM,
                         .evict_first = EVICT_FIRST,
                         .dynamic = DYNAMIC,
                         .fuse_combine = FUSE_COMBINE,
                         .permute_tokens = PERMUTE_TOKENS,
                         .split_k = SPLIT_K};

constexpr bool kSwapped = kConfig.swap_ab;
constexpr int kThreads = num_threads(kConfig);
constexpr int kBlockM = kConfig.block_m, kBlockN = kConfig.block_n, kBlockK = kConfig.block_k;
constexpr int kStages = kConfig.num_stages, kConsumers = kConfig.num_consumers, kCluster = kConfig.cluster_m;
constexpr int kParts = parts(kConfig), kInstructionN = instruction_n(kConfig), kSplit = kConfig.split_k;
constexpr int kPanels = kBlockK / kPanel;
constexpr int kPanelRowBytes = kPanel * kElementBytes;
constexpr int kTokenBytes = kBlockM * kBlockK * kElementBytes, kWeightBytes = kBlockN * kBlockK * kElementBytes;

/// How the weight rows of a gated tile lie in a stage. Interleaved: 8 gate rows, their 8 up rows, the next 8 gate rows
/// …, so that both halves of a column are rows of one thread's accumulators. Else all gate rows, then all up rows.
constexpr bool kInterleaved = kSwapped;

/// Warps of the producers' warpgroup that have nothing to copy sum up tokens (kernels/wgmma/combine.cuh).
constexpr bool kFusesCombine = kConfig.fuse_combine == kSumsByLast;
constexpr int kCombiners = kFusesCombine ? 3 : 0;

/// Rows are added to the sums of their tokens instead of being stored.
constexpr bool kAddsRows = kConfig.fuse_combine == kSumsByAdding;

/// With a tile for each slot there are hardly more tiles than blocks.
constexpr bool kDynamic = kConfig.dynamic && !kTokenTiles;

/// How the GEMMs of a kernel follow each other.
enum class Place { alone, first_of_two, second_of_two };

/// One of the GEMMs that a kernel computes.
template <Epilogue Kind, bool HasBias, Place Where = Place::alone>
struct Gemm : GemmSettings<Kind, HasBias> {
  static constexpr int kOutColumns = out_columns(kConfig, Kind);
  /// The first GEMM's tokens lie scattered and are gathered by a warpgroup, unless a kernel before has put them in
  /// order; the second's are boxes of a tensor, but that in a kernel of both the same warpgroup goes on gathering.
  static constexpr bool kGathers = Where != Place::alone || (Kind != Epilogue::final && !kConfig.permute_tokens);
  /// Whether its first weights may be asked for before slots are grouped.
  static constexpr bool kStartsEarly = kGathers && Where == Place::alone && !kTokenTiles;
  /// Rows that are done are handed over from one to the other through GemmArguments::rows_done.
  static constexpr bool kHandsOver = Where == Place::first_of_two, kTakesOver = Where == Place::second_of_two;
};

}  // namespace moetune::wgmma
