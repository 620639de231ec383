// Blocks that share a tile by dividing K (SPLIT_K): whoever comes last adds up the parts.
#pragma once

#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/barrier.cuh"
#include "kernels/ptx/global_memory.cuh"
#include "kernels/wgmma/store.cuh"

namespace moetune::wgmma {

/// Before the products of a part. Without it ptxas takes what join_parts() left in the registers for accumulators that
/// something else writes, and serialises the products.
__device__ __forceinline__ void clear_for_join(Accumulators& acc) {
  if constexpr (kDivides)
#pragma unroll
    for (int part = 0; part < kParts; part++)
#pragma unroll
      for (int i = 0; i < kInstructionN / 2; i++) acc[part][i] = 0.0f;
}

/// A consumer's parts of a tile's sum. They are added up in the order of K, so that every run gives the same bits. No
/// block ever waits for another.
class Join {
 public:
  __device__ __forceinline__ Join(const GemmArguments& args, const Work& work, int consumer)
      : args_(args), work_(work), consumer_(consumer), thread_(threadIdx.x % kWarpgroup) {}

  /// By the whole consumer, with its part. True where all are there: `acc` is then the sum.
  __device__ __forceinline__ bool operator()(Accumulators& acc) const {
    // A sum of two is the same in either order: where the other is there already, this one is not put down at all.
    const bool is_pair = work_.parts == 2;
    if (!(is_pair && is_last(load_count()))) {
      put(acc);
      ptx::barrier_sync(barrier(), kWarpgroup);
      if (!is_last(count())) return false;
    }
    if (thread_ == 0) *counter() = 0;
    if (is_pair) {
      add(1 - work_.part, acc);
    } else {
      clear_for_join(acc);
#pragma unroll 1
      for (int part = 0; part < work_.parts; part++) add(part, acc);
    }
    return true;
  }

 private:
  static constexpr int kFloats = kInstructionN / 2, kOfThread = kParts * kFloats;
  static constexpr int kOfConsumer = kOfThread * kWarpgroup, kOfPlace = kConsumers * kOfConsumer;

  /// Of the thread that counts: parts that had come before this one; of all others nothing.
  __device__ __forceinline__ int load_count() const { return thread_ == 0 ? ptx::load_acquire(counter()) : 0; }
  __device__ __forceinline__ int count() const { return thread_ == 0 ? ptx::fetch_add_ordered(counter(), 1) : 0; }
  __device__ __forceinline__ bool is_last(int before) const {
    return ptx::barrier_any(barrier(), kWarpgroup, before == work_.parts - 1);
  }

  __device__ __forceinline__ int barrier() const { return 2 + consumer_; }
  static __device__ __forceinline__ int rank() { return kCluster > 1 ? static_cast<int>(ptx::cluster_rank()) : 0; }

  __device__ __forceinline__ int* counter() const {
    return args_.parts_done + (work_.index * kCluster + rank()) * kConsumers + consumer_;
  }
  /// This thread's first four floats of a part: [place, consumer, four floats at a time, thread, 4].
  __device__ __forceinline__ float* floats_of(int part) const {
    int place = work_.index * kSplit + part;
    if constexpr (kStreams) {
      const int block = static_cast<int>(blockIdx.x) / kCluster + part - work_.part;
      place = place_of(block, part) * kCluster + rank();
    }
    return args_.partials + static_cast<long long>(place) * kOfPlace + consumer_ * kOfConsumer + thread_ * 4;
  }

  /// Swapped: whether these accumulators are of tokens that the tile has.
  __device__ __forceinline__ bool is_used(int i) const { return !kSwapped || 2 * i < work_.tile.rows; }

  __device__ __forceinline__ void put(const Accumulators& acc) const {
    float* const to = floats_of(work_.part);
#pragma unroll
    for (int i = 0; i < kFloats; i += 4) {
      if (!is_used(i)) break;
#pragma unroll
      for (int part = 0; part < kParts; part++) {
        const float* d = acc[part] + i;
        ptx::store_global(to + (i / 4 * kParts + part) * (kWarpgroup * 4), d[0], d[1], d[2], d[3]);
      }
    }
  }
  __device__ __forceinline__ void add(int part_of_sum, Accumulators& acc) const {
    const float* const from = floats_of(part_of_sum);
#pragma unroll
    for (int i = 0; i < kFloats; i += 4) {
      if (!is_used(i)) break;
#pragma unroll
      for (int part = 0; part < kParts; part++) {
        float v[4];
        ptx::load_global_l2(from + (i / 4 * kParts + part) * (kWarpgroup * 4), v);
#pragma unroll
        for (int j = 0; j < 4; j++) acc[part][i + j] += v[j];
      }
    }
  }

  const GemmArguments& args_;
  const Work& work_;
  int consumer_, thread_;
};

/// By a whole consumer, with its part of a sum or all of it. True where `acc` is the whole sum.
__device__ __forceinline__ bool join_parts(const GemmArguments& args, const Work& work, int consumer,
                                           Accumulators& acc) {
  if constexpr (!kDivides)
    return true;
  else
    return work.parts == 1 || Join(args, work, consumer)(acc);
}

}  // namespace moetune::wgmma
