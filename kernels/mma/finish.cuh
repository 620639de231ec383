// From accumulators to the output.
#pragma once

#include "kernels/lib/activation.cuh"
#include "kernels/mma/fragments.cuh"
#include "kernels/mma/quad.cuh"
#include "kernels/mma/row_info.cuh"
#include "kernels/ptx/convert.cuh"

namespace moetune::mma {

using Rows = RowInfo<kWarpM, kSecond || kWeighted, kWeighted, kTokenTiles>;

/// Bias, routing weight and activation in fp32, one rounding, one store. Four n8 fragments are exchanged between four
/// lanes, so that each stores 16 bytes of a row without a detour through shared memory.
__device__ __forceinline__ void finish(const GemmArguments& args, const Tile& tile, const Rows& rows,
                                       const Accumulators& acc, int warp_m, int warp_n, int lane) {
  constexpr int kOutFragments = kGated ? kFragmentsN / 2 : kFragmentsN;
  constexpr int kGroup = kOutFragments % 4 == 0 ? 4 : 1;
  const int q = lane % 4;
  const unsigned short* bias = args.bias + static_cast<long long>(tile.expert) * args.weight_rows;
#pragma unroll
  for (int group = 0; group < kOutFragments; group += kGroup) {
    const int first_column = tile.column + (warp_n * kOutFragments + group) * kMmaN;
    float gate_bias[kGroup][2] = {}, up_bias[kGroup][2] = {};
    if constexpr (kHasBias)
#pragma unroll
      for (int f = 0; f < kGroup; f++) {
        const int column = first_column + f * kMmaN + q * 2;
        if (!kNarrow || column < args.out_columns) {
          ptx::unpack<kType>(*reinterpret_cast<const unsigned*>(bias + column), gate_bias[f][0], gate_bias[f][1]);
          if constexpr (kGated)
            ptx::unpack<kType>(*reinterpret_cast<const unsigned*>(bias + args.out_columns + column), up_bias[f][0],
                               up_bias[f][1]);
        }
      }
#pragma unroll
    for (int m = 0; m < kFragmentsM; m++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int warp_row = m * kMmaM + half * 8 + lane / 4;
        const float scale = kWeighted ? rows.weight(warp_row) : 1.0f;
        unsigned packed[kGroup];
#pragma unroll
        for (int f = 0; f < kGroup; f++) {
          const int n = kGated ? 2 * (group + f) : group + f;
          Pair value, up;
#pragma unroll
          for (int i = 0; i < 2; i++) {
            value.v[i] = acc[m][n][2 * half + i] + gate_bias[f][i];
            if constexpr (kWeighted) value.v[i] *= scale;
            if constexpr (kGated) {
              up.v[i] = acc[m][n + 1][2 * half + i] + up_bias[f][i];
              if constexpr (kWeighted) up.v[i] *= scale;
            }
          }
          if constexpr (kGated) value = activate<kActivation>(value, up);
          packed[f] = ptx::pack<kType>(value.v[0], value.v[1]);
        }
        transpose_quad(packed, q);

        const int row = warp_m * kWarpM + warp_row;
        const long long out_row = kSecond ? rows.slot(warp_row) : tile.row + row;
        const int column = first_column + (kGroup == 4 ? q * kMmaN : q * 2);
        if (row < tile.rows && (!kNarrow || column < args.out_columns)) {
          unsigned short* to = args.out + out_row * args.out_columns + column;
          if constexpr (kGroup == 4)
            *reinterpret_cast<uint4*>(to) = make_uint4(packed[0], packed[1], packed[2], packed[3]);
          else
            *reinterpret_cast<unsigned*>(to) = packed[0];
        }
      }
  }
}

/// Adds up a token's slots in their order. Weight row r of the tile is column r % kOutColumns of slot r / kOutColumns,
/// whose row of A it is meant for: of all products that the tile has, those are taken. `products` [slots, columns]: all
/// warps are done with this shared memory.
__device__ __forceinline__ void sum_up(const GemmArguments& args, const Tile& tile, const Rows& rows,
                                       const Accumulators& acc, int warp_m, int warp_n, int lane, float* products) {
  const int q = lane % 4;
  if (warp_m == 0) {
#pragma unroll
    for (int n = 0; n < kFragmentsN; n++) {
      const int weight_row = (warp_n * kFragmentsN + n) * kMmaN + q * 2;
      const int slot = weight_row / kOutColumns, column = weight_row % kOutColumns;
      const float scale = kWeighted ? rows.weight(slot) : 1.0f;
      if (lane / 4 != slot % 8 || slot >= kSummedSlots) continue;
      const int expert = chosen_expert(args.map, args.topk_ids[tile.row + slot]);
      float added[2] = {};
      if (kHasBias && expert >= 0 && (!kNarrow || tile.column + column < args.out_columns))
        ptx::unpack<kType>(*reinterpret_cast<const unsigned*>(
                               args.bias + static_cast<long long>(expert) * args.weight_rows + tile.column + column),
                           added[0], added[1]);
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const float value = slot < 8 ? acc[0][n][i] : acc[0][n][2 + i];
        products[weight_row + i] = expert < 0 ? 0.0f : (value + added[i]) * scale;
      }
    }
  }
  __syncthreads();
  for (int column = threadIdx.x * 2; column < min(kOutColumns, args.out_columns - tile.column);
       column += kThreads * 2) {
    float sum[2] = {};
#pragma unroll
    for (int slot = 0; slot < kSummedSlots; slot++)
#pragma unroll
      for (int i = 0; i < 2; i++) sum[i] += products[slot * kOutColumns + column + i];
    const long long token = tile.row / kSummedSlots;
    *reinterpret_cast<unsigned*>(args.combined + token * args.combined_pitch + tile.column + column) =
        ptx::pack<kType>(sum[0], sum[1]);
  }
}

}  // namespace moetune::mma
