// The tensor memory accelerator (sm_90): copies of boxes of a tensor into shared memory, announced to an mbarrier. What
// lies outside of the tensor arrives as zeros and counts as bytes.
#pragma once

#include "kernels/lib/tensor_map.h"

namespace moetune::ptx {

__device__ __forceinline__ void prefetch_tensor_map(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// The coordinates of a box, innermost dimension first.
template <int Rank>
struct Coordinates {
  int at[Rank];
};

// clang-format off
#define MOETUNE_COPY(rank) "cp.async.bulk.tensor." rank "d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
#define MOETUNE_AT2(c) "r"(c.at[0]), "r"(c.at[1])
#define MOETUNE_AT3(c) MOETUNE_AT2(c), "r"(c.at[2])
#define MOETUNE_AT4(c) MOETUNE_AT3(c), "r"(c.at[3])
#define MOETUNE_AT5(c) MOETUNE_AT4(c), "r"(c.at[4])

/// Into this block's shared memory.
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<2>& c) {
  asm volatile(MOETUNE_COPY("2") " [%0], [%1, {%3, %4}], [%2];"
               ::"r"(shared), "l"(&map), "r"(barrier), MOETUNE_AT2(c) : "memory");
}
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<3>& c) {
  asm volatile(MOETUNE_COPY("3") " [%0], [%1, {%3, %4, %5}], [%2];"
               ::"r"(shared), "l"(&map), "r"(barrier), MOETUNE_AT3(c) : "memory");
}
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<4>& c) {
  asm volatile(MOETUNE_COPY("4") " [%0], [%1, {%3, %4, %5, %6}], [%2];"
               ::"r"(shared), "l"(&map), "r"(barrier), MOETUNE_AT4(c) : "memory");
}
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<5>& c) {
  asm volatile(MOETUNE_COPY("5") " [%0], [%1, {%3, %4, %5, %6, %7}], [%2];"
               ::"r"(shared), "l"(&map), "r"(barrier), MOETUNE_AT5(c) : "memory");
}

/// The same with a policy for the L2.
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<3>& c,
                                         unsigned long long policy) {
  asm volatile(MOETUNE_COPY("3") ".L2::cache_hint [%0], [%1, {%4, %5, %6}], [%2], %3;"
               ::"r"(shared), "l"(&map), "r"(barrier), "l"(policy), MOETUNE_AT3(c) : "memory");
}
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<4>& c,
                                         unsigned long long policy) {
  asm volatile(MOETUNE_COPY("4") ".L2::cache_hint [%0], [%1, {%4, %5, %6, %7}], [%2], %3;"
               ::"r"(shared), "l"(&map), "r"(barrier), "l"(policy), MOETUNE_AT4(c) : "memory");
}
__device__ __forceinline__ void copy_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<5>& c,
                                         unsigned long long policy) {
  asm volatile(MOETUNE_COPY("5") ".L2::cache_hint [%0], [%1, {%4, %5, %6, %7, %8}], [%2], %3;"
               ::"r"(shared), "l"(&map), "r"(barrier), "l"(policy), MOETUNE_AT5(c) : "memory");
}

/// Into every block of the cluster that `blocks` has a bit for, at the same place, each with its own barrier.
__device__ __forceinline__ void multicast_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<3>& c,
                                              unsigned short blocks) {
  asm volatile(MOETUNE_COPY("3") ".multicast::cluster [%0], [%1, {%4, %5, %6}], [%2], %3;"
               ::"r"(shared), "l"(&map), "r"(barrier), "h"(blocks), MOETUNE_AT3(c) : "memory");
}
__device__ __forceinline__ void multicast_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<4>& c,
                                              unsigned short blocks) {
  asm volatile(MOETUNE_COPY("4") ".multicast::cluster [%0], [%1, {%4, %5, %6, %7}], [%2], %3;"
               ::"r"(shared), "l"(&map), "r"(barrier), "h"(blocks), MOETUNE_AT4(c) : "memory");
}
__device__ __forceinline__ void multicast_box(unsigned shared, const TensorMap& map, unsigned barrier, const Coordinates<5>& c,
                                              unsigned short blocks) {
  asm volatile(MOETUNE_COPY("5") ".multicast::cluster [%0], [%1, {%4, %5, %6, %7, %8}], [%2], %3;"
               ::"r"(shared), "l"(&map), "r"(barrier), "h"(blocks), MOETUNE_AT5(c) : "memory");
}

/// From this block's shared memory, as far as the tensor reaches.
__device__ __forceinline__ void store_box(const TensorMap& map, unsigned shared, const Coordinates<3>& c) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];"
               ::"l"(&map), "r"(shared), MOETUNE_AT3(c) : "memory");
}
/// The same with a policy for the L2.
__device__ __forceinline__ void store_box(const TensorMap& map, unsigned shared, const Coordinates<3>& c,
                                          unsigned long long policy) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group.L2::cache_hint [%0, {%3, %4, %5}], [%1], %2;"
               ::"l"(&map), "r"(shared), "l"(policy), MOETUNE_AT3(c) : "memory");
}
__device__ __forceinline__ void commit_stores() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/// Waits until all but the last `Pending` groups of this thread's stores have been read from shared memory, or are done.
template <int Pending>
__device__ __forceinline__ void wait_for_stores_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}
template <int Pending>
__device__ __forceinline__ void wait_for_stores() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
}

#undef MOETUNE_COPY
#undef MOETUNE_AT2
#undef MOETUNE_AT3
#undef MOETUNE_AT4
#undef MOETUNE_AT5
// clang-format on

}  // namespace moetune::ptx
