// Multiplies the stages, tile after tile.
#pragma once

#include "kernels/ptx/wgmma.cuh"
#include "kernels/wgmma/split.cuh"
#include "kernels/wgmma/store.cuh"

namespace moetune::wgmma {

/// One warpgroup, `number` among the consumers: all tiles of this block.
template <class G>
class Consumer {
 public:
  __device__ __forceinline__ Consumer(const GemmArguments& args, const TensorMap& out_map, const Stages& stages,
                                      int number, Cursor& cursor)
      : args_(args), stages_(stages), number_(number), cursor_(cursor), store_(args, out_map, stages, number) {}

  __device__ __forceinline__ void run(int first_block = 0) {
    const int warp = threadIdx.x % kWarpgroup / 32;
    Walk<G> walk(args_, stages_, false, first_block);
    // A tile's entry and its rows' weights are two dependent loads: the one is on its way during the tile before, the
    // other during the tile itself.
    typename Walk<G>::Next next;
    bool more = walk.ask(next);
    Work work;
    RowWeights<G> weights;
    if (more) {
      work = walk.get(next);
      weights.load(args_, work.tile, number_, warp);
    }
    while (more) {
      more = walk.ask(next);
      const bool has_rows = kSwapped ? !kTokenTiles || work.k_tiles() > 0 : number_ * kParts * 64 < work.tile.rows;
      Accumulators acc;
      clear_for_join(acc);
      if (!has_rows)
        skip(work.k_tiles());
      else if constexpr (kSwapped)
        multiply_columns<kInstructionN>(acc, work.k_tiles(), work.tile.rows);
      else
        multiply<kInstructionN>(acc, work.k_tiles());
      Work upcoming;
      RowWeights<G> upcoming_weights;
      if (more) {
        upcoming = walk.get(next);
        upcoming_weights.load(args_, upcoming.tile, number_, warp);
      }
      if (!has_rows)
        store_.skip(work.tile);
      else if (join_parts(args_, work, number_, acc))
        store_(work.tile, weights, acc);
      work = upcoming;
      weights = upcoming_weights;
    }
    store_.wait();
  }

 private:
  /// The next narrower instruction that there is a loop for. Tiles of even height, of which an expert has several, are
  /// more than half as high as a tile may be: there each multiple of 8 counts. Below, and of the highest tiles, loops
  /// are few, for each takes time to compile.
  static constexpr int narrower(int columns) {
    if (kInstructionN <= 32) return 0;
    constexpr int kFine = kInstructionN <= 192 ? 8 : 32;
    return columns - (columns > kInstructionN / 2 ? kFine : 32);
  }

  /// With the instruction's N for this many tokens.
  template <int N>
  __device__ __forceinline__ void multiply_columns(Accumulators& acc, int k_tiles, int tokens) {
    if constexpr (narrower(N) > 0)
      if (tokens <= narrower(N)) return multiply_columns<narrower(N)>(acc, k_tiles, tokens);
    multiply<N>(acc, k_tiles);
  }

  template <int N>
  __device__ __forceinline__ void multiply(Accumulators& acc, int k_tiles) {
    // The operand that the consumers divide among themselves, and the one that each reads whole.
    constexpr int kDividedBytes = kSwapped ? kWeightBytes : kTokenBytes;
    constexpr int kWholeBytes = kSwapped ? kTokenBytes : kWeightBytes;
    const unsigned divided = (kSwapped ? stages_.weights : stages_.tokens) + number_ * kParts * 64 * kPanelRowBytes;
    const unsigned whole = kSwapped ? stages_.tokens : stages_.weights;
    int previous = 0;
    for (int k_tile = 0; k_tile < k_tiles; k_tile++) {
      ptx::mbarrier_wait(stages_.full(cursor_.stage), cursor_.parity);
      if constexpr (G::kGathers) ptx::fence_async_proxy();
      ptx::wgmma_fence();
#pragma unroll
      for (int panel = 0; panel < kPanels; panel++) {
        const unsigned long long a =
            ptx::matrix_descriptor(divided + cursor_.stage * kDividedBytes + panel * (kDividedBytes / kPanels));
        const unsigned long long b =
            ptx::matrix_descriptor(whole + cursor_.stage * kWholeBytes + panel * (kWholeBytes / kPanels));
#pragma unroll
        for (int step = 0; step < kPanel / 16; step++)
#pragma unroll
          for (int part = 0; part < kParts; part++)
            ptx::Wgmma<N>::template step<kType>(acc[part], a + part * (64 * kPanelRowBytes / 16) + step * 2,
                                                b + step * 2, k_tile > 0 || panel > 0 || step > 0);
      }
      ptx::wgmma_commit();
      if (k_tile > 0) {
        ptx::wgmma_wait<1>();
        release(previous);
      }
      previous = cursor_.stage;
      cursor_.advance();
    }
    ptx::wgmma_wait<0>();
    release(previous);
  }

  /// This consumer has no rows in the tile: the tensor cores are the others'.
  __device__ __forceinline__ void skip(int k_tiles) {
    for (int k_tile = 0; k_tile < k_tiles; k_tile++) {
      ptx::mbarrier_wait(stages_.full(cursor_.stage), cursor_.parity);
      release(cursor_.stage);
      cursor_.advance();
    }
  }

  __device__ __forceinline__ void release(int stage) const {
    const int thread = threadIdx.x % kWarpgroup;
    if constexpr (kCluster > 1) {
      if (thread < kCluster) ptx::mbarrier_arrive_remote(stages_.empty(stage), thread);
    } else {
      if (thread == 0) ptx::mbarrier_arrive(stages_.empty(stage));
    }
  }

  const GemmArguments& args_;
  const Stages& stages_;
  int number_;
  Cursor& cursor_;
  Store<G> store_;
};

}  // namespace moetune::wgmma
