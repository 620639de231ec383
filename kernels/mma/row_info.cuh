// Where the rows of a warp's part of a tile go and what they weigh.
#pragma once

#include "kernels/lib/row_tiles.cuh"

namespace moetune::mma {

/// Lane l keeps rows l, l + 32, … of `Rows`; slot() and weight() hand them out to all lanes.
template <int Rows, bool NeedsSlots, bool Weighted, bool TokenTiles>
struct RowInfo {
  static constexpr int kPerLane = (Rows + 31) / 32;
  int slots[kPerLane];
  float weights[kPerLane];

  /// `first` … first + Rows of the tile's rows; those it does not have are -1.
  __device__ __forceinline__ void load_slots(const GemmArguments& args, const Tile& tile, int first) {
    if constexpr (NeedsSlots)
#pragma unroll
      for (int i = 0; i < kPerLane; i++) {
        const int row = i * 32 + static_cast<int>(threadIdx.x % 32);
        slots[i] = row < Rows && first + row < tile.rows ? slot_of<TokenTiles>(args, tile.row + first + row) : -1;
      }
  }
  /// Apart from load_slots, so that other work can lie between the two latencies.
  __device__ __forceinline__ void load_weights(const GemmArguments& args) {
    if constexpr (Weighted)
#pragma unroll
      for (int i = 0; i < kPerLane; i++) weights[i] = slots[i] >= 0 ? args.routing_weights[slots[i]] : 0.0f;
  }
  __device__ __forceinline__ int slot(int row) const {
    return __shfl_sync(~0u, slots[row / 32], row % 32);
  }
  __device__ __forceinline__ float weight(int row) const {
    return __shfl_sync(~0u, weights[row / 32], row % 32);
  }
};

}  // namespace moetune::mma
