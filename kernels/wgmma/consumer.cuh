// Multiplies the stages, tile after tile.
#pragma once

#include "kernels/ptx/wgmma.cuh"
#include "kernels/wgmma/store.cuh"

namespace moetune::wgmma {

/// One warpgroup, `number` among the consumers: all tiles of this block.
class Consumer {
 public:
  __device__ __forceinline__ Consumer(const GemmArguments& args, const TensorMap& out_map, const Stages& stages,
                                      int number)
      : args_(args),
        stages_(stages),
        number_(number),
        k_tiles_((args.K + kBlockK - 1) / kBlockK),
        store_(args, out_map, stages, number) {}

  __device__ __forceinline__ void run() {
    const int warp = threadIdx.x % kWarpgroup / 32;
    Walk walk(args_, stages_);
    // A tile's entry and its rows' weights are two dependent loads: the one is on its way during the tile before, the
    // other during the tile itself.
    Walk::Next next;
    bool more = walk.ask(next);
    Tile tile;
    RowWeights weights;
    if (more) {
      tile = walk.get(next);
      weights.load(args_, tile, number_, warp);
    }
    while (more) {
      more = walk.ask(next);
      const bool has_rows = kSwapped || number_ * kParts * 64 < tile.rows;
      Accumulators acc;
      if (!has_rows)
        skip();
      else if constexpr (kSwapped)
        multiply_columns<kInstructionN>(acc, tile.rows);
      else
        multiply<kInstructionN>(acc);
      Tile upcoming;
      RowWeights upcoming_weights;
      if (more) {
        upcoming = walk.get(next);
        upcoming_weights.load(args_, upcoming, number_, warp);
      }
      if (has_rows) store_(tile, weights, acc);
      tile = upcoming;
      weights = upcoming_weights;
    }
    store_.wait();
  }

 private:
  /// The instruction's N for this many tokens, in few steps: each is a loop of its own in the code.
  template <int N>
  __device__ __forceinline__ void multiply_columns(Accumulators& acc, int tokens) {
    constexpr int kStep = kInstructionN <= 32 ? kInstructionN : (kInstructionN / 8 + 7) / 8 * 8;
    if constexpr (N > kStep)
      if (tokens <= N - kStep) return multiply_columns<N - kStep>(acc, tokens);
    multiply<N>(acc);
  }

  template <int N>
  __device__ __forceinline__ void multiply(Accumulators& acc) {
    // The operand that the consumers divide among themselves, and the one that each reads whole.
    constexpr int kDividedBytes = kSwapped ? kWeightBytes : kTokenBytes;
    constexpr int kWholeBytes = kSwapped ? kTokenBytes : kWeightBytes;
    const unsigned divided = (kSwapped ? stages_.weights : stages_.tokens) + number_ * kParts * 64 * kPanelRowBytes;
    const unsigned whole = kSwapped ? stages_.tokens : stages_.weights;
    wait_for_turn();
    int previous = 0;
    for (int k_tile = 0; k_tile < k_tiles_; k_tile++) {
      ptx::mbarrier_wait(stages_.full(cursor_.stage), cursor_.parity);
      if constexpr (kGathers) ptx::fence_async_proxy();
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
      give_turn(k_tile);
      previous = cursor_.stage;
      cursor_.advance();
    }
    ptx::wgmma_wait<0>();
    release(previous);
  }

  /// This consumer has no rows in the tile: the tensor cores are the others'.
  __device__ __forceinline__ void skip() {
    wait_for_turn();
    for (int k_tile = 0; k_tile < k_tiles_; k_tile++) {
      ptx::mbarrier_wait(stages_.full(cursor_.stage), cursor_.parity);
      release(cursor_.stage);
      give_turn(k_tile);
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

  // The second consumer starts each tile `stagger` k tiles after the first, so that one multiplies while the other
  // stores. Not with fewer k tiles than stages: the first could then come around before the second has begun.
  static constexpr int kTurnBarrier = 1;
  __device__ __forceinline__ void wait_for_turn() const {
    if constexpr (kConfig.stagger > 0)
      if (number_ == 1 && k_tiles_ >= kStages) ptx::barrier_sync(kTurnBarrier, 2 * kWarpgroup);
  }
  __device__ __forceinline__ void give_turn(int k_tile) const {
    if constexpr (kConfig.stagger > 0)
      if (number_ == 0 && k_tiles_ >= kStages && k_tile == kConfig.stagger - 1)
        ptx::barrier_arrive(kTurnBarrier, 2 * kWarpgroup);
  }

  const GemmArguments& args_;
  const Stages& stages_;
  int number_, k_tiles_;
  Cursor cursor_;
  Store store_;
};

}  // namespace moetune::wgmma
