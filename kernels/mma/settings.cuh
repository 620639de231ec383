// What one compilation of the kernel is for. NVRTC compiles it once per config with these macros:
// - BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, NUM_WARPS, NUM_STAGES (GROUP_SIZE_M is an argument)
// - EVEN_K: K is a multiple of BLOCK_SIZE_K; NARROW: the output has fewer columns than a tile (0 or 1)
// - SUMMED_SLOTS: topk, where a tile is all slots of a token at a share of the columns each and the block sums them up
//   in place of moe_sum; else 0
// - those of kernels/lib/gemm_settings.cuh, and KERNEL_NAME
#pragma once

#include "kernels/lib/gemm_settings.cuh"
#include "kernels/mma/traits.h"

namespace moetune::mma {

constexpr Config kConfig{.block_m = BLOCK_SIZE_M,
                         .block_n = BLOCK_SIZE_N,
                         .block_k = BLOCK_SIZE_K,
                         .group_m = 1,  // see GemmArguments
                         .num_warps = NUM_WARPS,
                         .num_stages = NUM_STAGES};
static_assert(why_invalid(kConfig) == nullptr);

using G = GemmSettings<Epilogue::EPILOGUE, HAS_BIAS>;
constexpr Epilogue kEpilogue = G::kEpilogue;
constexpr bool kGated = G::kGated, kSecond = G::kSecond, kHasBias = G::kHasBias, kWeighted = G::kWeighted;
constexpr bool kEvenK = EVEN_K;
constexpr bool kNarrow = NARROW;
constexpr bool kSums = SUMMED_SLOTS > 0;
constexpr int kSummedSlots = kSums ? SUMMED_SLOTS : 1;
static_assert(!kSums || (kSecond && kTokenTiles && can_sum(kConfig, kSummedSlots)));

constexpr int kThreads = num_threads(kConfig);
constexpr int kBlockM = kConfig.block_m, kBlockN = kConfig.block_n, kBlockK = kConfig.block_k,
              kStages = kConfig.num_stages;
constexpr WarpGrid kWarps = warp_grid(kConfig);
constexpr int kWarpM = kBlockM / kWarps.m, kWarpN = kBlockN / kWarps.n;
constexpr int kFragmentsM = kWarpM / kMmaM, kFragmentsN = kWarpN / kMmaN;
constexpr int kSteps = kBlockK / kMmaK;
constexpr int kOutColumns = kSums ? kBlockN / shares_of(kConfig, kSummedSlots) : out_columns(kConfig, kEpilogue);

constexpr int kRowBytes = kBlockK * kElementBytes;
constexpr int kChunks = kBlockK / 8;              // 16-byte pieces of a tile row
constexpr int kRowsPerPass = kThreads / kChunks;  // rows that the block copies at once
constexpr int kCopiesA = (kBlockM + kRowsPerPass - 1) / kRowsPerPass;
constexpr int kCopiesB = (kBlockN + kRowsPerPass - 1) / kRowsPerPass;
constexpr int kBytesA = kBlockM * kRowBytes;
constexpr int kStageBytes = stage_bytes(kConfig);

/// Where the 16-byte piece `chunk` of row `row` lies: pieces are permuted within 128 bytes so that the eight rows that
/// one ldmatrix reads fall into different banks.
__device__ __forceinline__ constexpr int swizzled(int row, int chunk) {
  const int key = kChunks >= 8 ? row & 7 : (row >> 1) & 3;
  return row * kRowBytes + ((chunk ^ key) << 4);
}

}  // namespace moetune::mma
