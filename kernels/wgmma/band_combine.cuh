// The fused sum over topk of many tokens: a band of columns is summed up, in the order of the choices as moe_sum does
// it, by warps that would idle, while the next band is being multiplied. The last one is moe_sum's.
#pragma once

#include "kernels/lib/eight.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/global_memory.cuh"
#include "kernels/wgmma/pipeline.cuh"

namespace moetune::wgmma {

/// One warp, `number` among the kCombiners of its block. All blocks' share the tokens.
template <class G>
class BandCombiner {
 public:
  __device__ __forceinline__ BandCombiner(const GemmArguments& args, int number)
      : args_(args), own_(blockIdx.x * kCombiners + number), lane_(threadIdx.x % 32) {}

  __device__ __forceinline__ void run() const {
    const Bands bands{.column_tiles = column_tiles_of<G>(args_), .most = kBands};
    const int stored = *args_.tile_count * bands.width() * (kCluster * kConsumers);
    for (int band = 0; band + 1 < bands.count(); band++) {
      wait_until(args_.arrivals + band, stored);
      combine(band * bands.width() * G::kOutColumns, bands.width() * G::kOutColumns);
    }
    finish(bands.count());
  }

 private:
  static constexpr int kChunk = 32 * 8;          ///< columns that a warp has at once: eight a lane
  static constexpr int kBatch = 4, kAtOnce = 2;  ///< rows × chunks whose loads are on their way together

  __device__ __forceinline__ int combiners() const { return gridDim.x * kCombiners; }

  __device__ __forceinline__ void wait_until(const int* count, int enough) const {
    if (lane_ == 0)
      while (ptx::load_acquire(count) < enough) __nanosleep(500);
    __syncwarp();
  }

  /// The last one sets the counters back: nobody waits for them any more.
  __device__ __forceinline__ void finish(int bands) const {
    __syncwarp();
    if (lane_ != 0 || ptx::fetch_add_ordered(args_.arrivals + kBands, 1) != combiners() - 1) return;
    for (int band = 0; band < bands; band++) args_.arrivals[band] = 0;
    args_.arrivals[kBands] = 0;
  }

  /// The rows of kBatch choices of a token, from the `first` on, in the first lanes; -1 where there is none: then zeros
  /// are added.
  __device__ __forceinline__ int load_row(int token, int first) const {
    const int choice = first + lane_;
    return lane_ < kBatch && choice < args_.topk ? args_.slot_rows[token * args_.topk + choice] : -1;
  }

  __device__ __forceinline__ void combine(int first_column, int columns) const {
    const int tokens = args_.slots / args_.topk, end = min(first_column + columns, args_.out_columns);
    int row = own_ < tokens ? load_row(own_, 0) : -1;
    for (int token = own_; token < tokens; token += combiners()) {
      // On its way while this token's rows are.
      const int next = token + combiners(), next_row = next < tokens ? load_row(next, 0) : -1;
      for (int column = first_column + lane_ * 8; __any_sync(~0u, column < end); column += kAtOnce * kChunk)
        sum(token, row, column, end);
      row = next_row;
    }
  }

  __device__ __forceinline__ void sum(int token, int row, int column, int end) const {
    Eight sums[kAtOnce] = {};
#pragma unroll 1
    for (int first = 0; first < args_.topk; first += kBatch) {
      if (first > 0) row = load_row(token, first);
      uint4 pieces[kBatch][kAtOnce];
#pragma unroll
      for (int s = 0; s < kBatch; s++) {
        const int from = __shfl_sync(~0u, row, s);
        const unsigned short* const at = args_.out + static_cast<long long>(from) * args_.out_columns + column;
#pragma unroll
        for (int i = 0; i < kAtOnce; i++) {
          pieces[s][i] = make_uint4(0, 0, 0, 0);
          if (from >= 0 && column + i * kChunk < end) pieces[s][i] = ptx::load_global_l2(at + i * kChunk);
        }
      }
#pragma unroll
      for (int s = 0; s < kBatch; s++) {
#pragma unroll
        for (int i = 0; i < kAtOnce; i++) {
          const Eight next = unpack_eight<kType>(pieces[s][i]);
#pragma unroll
          for (int k = 0; k < 8; k++) sums[i].v[k] += next.v[k];
        }
      }
    }
    unsigned short* const to = args_.combined + static_cast<long long>(token) * args_.combined_pitch + column;
#pragma unroll
    for (int i = 0; i < kAtOnce; i++)
      if (column + i * kChunk < end) *reinterpret_cast<uint4*>(to + i * kChunk) = pack_eight<kType>(sums[i]);
  }

  const GemmArguments& args_;
  int own_, lane_;
};

}  // namespace moetune::wgmma
