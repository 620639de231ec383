// Copies the k tiles of one tile into the stages.
#pragma once

#include "kernels/lib/row_tiles.cuh"
#include "kernels/mma/settings.cuh"
#include "kernels/ptx/cache_policy.cuh"
#include "kernels/ptx/cp_async.cuh"

namespace moetune::mma {

/// Sums: the weight rows that a thread copies lie pass_bytes apart as long as they are of one slot, for so many passes.
constexpr int kPassesOfPiece = !kNarrow && kOutColumns % kRowsPerPass == 0 ? kOutColumns / kRowsPerPass : 1;
constexpr int kSlotPieces = kSums ? (kCopiesB + kPassesOfPiece - 1) / kPassesOfPiece : 1;

/// Copies the k tiles of A and of the weights of one tile, one after the other.
struct Loader {
  const GemmArguments& args;
  const char* a[kCopiesA];                // this thread's piece of the k tile, in each pass
  const char* weights;                    // the same of the first pass; the other passes lie at multiples of pass_bytes
  const char* slot_weights[kSlotPieces];  // sums: of each piece, null where there is no slot or its expert is not here
  unsigned pass_bytes;                    // between the weight rows of two passes
  long long up_bytes;                     // gated: from a gate row to its up row
  unsigned real_rows;                     // bit i: the row of pass i exists; others are zero-filled
  unsigned shared;                        // this thread's piece of stage 0
  unsigned long long weight_policy;
  unsigned k_bytes = 0;  // sums: how far the weights have come
  int k_left;            // elements of K from this thread's piece on
  int last_row;          // narrow: weight rows past this one repeat it; their columns are not stored

  __device__ __forceinline__ Loader(const GemmArguments& arguments, unsigned smem) : args(arguments) {
    shared = smem + swizzled(threadIdx.x / kChunks, threadIdx.x % kChunks);
    pass_bytes = static_cast<unsigned>(kRowsPerPass * args.K) * kElementBytes;
    up_bytes = static_cast<long long>(args.out_columns) * args.K * kElementBytes;
    weight_policy = ptx::evict_first_policy();
  }

  __device__ __forceinline__ void set_weights(const Tile& tile) {
    const int chunk = threadIdx.x % kChunks, row = threadIdx.x / kChunks;
    k_left = args.K - chunk * 8;
    last_row = args.out_columns - 1 - tile.column;
    if constexpr (kSums) return set_slot_weights(tile);
    const long long first = static_cast<long long>(tile.expert) * args.weight_rows + tile.column + (kNarrow ? 0 : row);
    weights = reinterpret_cast<const char*>(args.weights + first * args.K + chunk * 8);
  }

  __device__ __forceinline__ void set_slot_weights(const Tile& tile) {
#pragma unroll
    for (int i = 0; i < kSlotPieces; i++) {
      const int row = static_cast<int>(threadIdx.x) / kChunks + i * kPassesOfPiece * kRowsPerPass;
      const int slot = row / kOutColumns, column = row % kOutColumns;
      const int expert = slot < kSummedSlots ? chosen_expert(args.map, args.topk_ids[tile.row + slot]) : -1;
      const long long weight_row =
          static_cast<long long>(expert) * args.weight_rows + tile.column + (kNarrow ? min(column, last_row) : column);
      const unsigned short* from = args.weights + weight_row * args.K + threadIdx.x % kChunks * 8;
      slot_weights[i] = expert < 0 ? nullptr : reinterpret_cast<const char*>(from);
    }
  }

  /// `slots`: of the tile's rows.
  __device__ __forceinline__ void set_rows(const Tile& tile, const int* slots) {
    const int chunk = threadIdx.x % kChunks, first_row = threadIdx.x / kChunks;
    real_rows = 0;
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) {
      const int row = first_row + i * kRowsPerPass;
      const bool real = row < tile.rows;
      long long source = 0;
      if (real) source = kSecond ? tile.row + row : (kTokenTiles ? tile.row : slots[row]) / args.topk;
      real_rows |= (real ? 1u : 0u) << i;
      a[i] = reinterpret_cast<const char*>(args.a + source * args.a_pitch + chunk * 8);
    }
  }

  /// Zero for all threads, which only the device knows. Added to the number of a stage it keeps ptxas 13.0 from
  /// addressing copies by uniform registers: of those with a policy for the L2 some then named one that there is not
  /// (LDGSTS [R+UR0], desc[UR1]), an illegal instruction.
  __device__ __forceinline__ int zero() const {
    return static_cast<int>((static_cast<unsigned>(args.K) + threadIdx.x) >> 31);
  }

  /// Pass i over the rows of A. Past the end of K nothing is read and zeros are written.
  __device__ __forceinline__ void copy_a_pass(int i, int stage) const {
    if (kBlockM % kRowsPerPass != 0 && threadIdx.x / kChunks + i * kRowsPerPass >= kBlockM) return;
    const bool inside = kEvenK || k_left > 0;
    ptx::cp_async_16(shared + stage * kStageBytes + i * kRowsPerPass * kRowBytes, a[i],
                     inside && (real_rows >> i & 1) ? 16u : 0u);
  }

  __device__ __forceinline__ void copy_weights_pass(int i, int stage) const {
    if (kBlockN % kRowsPerPass != 0 && threadIdx.x / kChunks + i * kRowsPerPass >= kBlockN) return;
    const bool inside = kEvenK || k_left > 0;
    if constexpr (kSums) return copy_slot_weights(i, stage);
    const char* from = weights;
    if constexpr (kNarrow || (kGated && kBlockN / 2 % kRowsPerPass != 0)) {  // a pass may hold gate and up rows
      const int first_row = threadIdx.x / kChunks;
      int row = first_row + i * kRowsPerPass;
      const bool up = kGated && row >= kBlockN / 2;
      if (up) row -= kBlockN / 2;
      row = kNarrow ? min(row, last_row) : row - first_row;
      from += static_cast<long long>(row) * (args.K * kElementBytes) + (up ? up_bytes : 0);
    } else {
      constexpr int kGatePasses = kGated ? kBlockN / 2 / kRowsPerPass : kCopiesB;
      from += static_cast<unsigned long long>(i % kGatePasses) * pass_bytes + (i >= kGatePasses ? up_bytes : 0);
    }
    copy_weight(i, stage, from, inside);
  }

  __device__ __forceinline__ void copy_slot_weights(int i, int stage) const {
    const char* piece = slot_weights[i / kPassesOfPiece];
    const bool inside = piece != nullptr && (kEvenK || k_left > 0);
    const char* from = reinterpret_cast<const char*>(args.weights);
    if (inside) from = piece + k_bytes + i % kPassesOfPiece * pass_bytes;
    copy_weight(i, stage, from, inside);
  }

  /// Weights that nobody reads again go first (H200, 16 and 64 tokens: 0.5 to 3 % less time). A policy of evict_normal
  /// is not the same as none: it costs 3 to 8 %.
  __device__ __forceinline__ void copy_weight(int i, int stage, const char* from, bool inside) const {
    const unsigned to = shared + stage * kStageBytes + kBytesA + i * kRowsPerPass * kRowBytes;
    const unsigned bytes = inside ? 16 : 0;
    if (args.reads_weights_once)
      ptx::cp_async_16(to, from, bytes, weight_policy);
    else
      ptx::cp_async_16(to, from, bytes);
  }

  __device__ __forceinline__ void copy_a(int stage) const {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) copy_a_pass(i, stage);
  }

  __device__ __forceinline__ void copy_weights(int stage) const {
#pragma unroll
    for (int i = 0; i < kCopiesB; i++) copy_weights_pass(i, stage);
  }

  __device__ __forceinline__ void advance_a() {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) a[i] += kRowBytes;
  }
  __device__ __forceinline__ void advance_weights() {
    if constexpr (kSums)
      k_bytes += kRowBytes;
    else
      weights += kRowBytes;
    k_left -= kBlockK;
  }
};
// A pass moves every thread down by kRowsPerPass rows; its swizzle key must not change with it.
static_assert(kRowsPerPass % 8 == 0, "the loader advances by whole swizzle periods");

}  // namespace moetune::mma
