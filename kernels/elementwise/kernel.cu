// The steps beside the GEMMs: tokens put in expert order, activation (three_kernel only), the sum over topk. Compiled
// with DTYPE and ACTIVATION. Eight columns, 16 bytes, per thread; the widths are multiples of 8.
#include "kernels/lib/activation.cuh"
#include "kernels/lib/arguments.h"
#include "kernels/lib/eight.cuh"
#include "kernels/ptx/cache_policy.cuh"
#include "kernels/ptx/grid_dependency.cuh"

namespace moetune::elementwise {

constexpr DType kType = DType::DTYPE;

__device__ __forceinline__ uint4 load(const unsigned short* from) {
  return *reinterpret_cast<const uint4*>(from);
}

__device__ __forceinline__ void store(unsigned short* to, const Eight& e) {
  *reinterpret_cast<uint4*>(to) = pack_eight<kType>(e);
}

/// out[row] = in[token] for every row that the token has. A thread for each eight columns of a token, which are read
/// once and stored topk times. The row after the last is zero where there is room for one: a tile of an odd number of
/// tokens multiplies it too.
extern "C" __global__ void moe_permute(const __grid_constant__ PermuteArguments args) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int pieces = args.columns / 8;
  const long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  if (i >= args.tokens * pieces) return;
  const long long token = i / pieces;
  const int column = static_cast<int>(i % pieces) * 8;
  const auto store_at = [&](long long row, const uint4& piece) {
    *reinterpret_cast<uint4*>(args.out + row * args.columns + column) = piece;
  };
  const uint4 piece = load(args.in + token * args.in_pitch + column);
  for (int s = 0; s < args.topk; s++) {
    const long long slot = token * args.topk + s;
    if (const long long row = args.slot_rows == nullptr ? slot : args.slot_rows[slot]; row >= 0) store_at(row, piece);
  }
  if (token == 0 && args.row_count != nullptr && *args.row_count < args.tokens * args.topk)
    store_at(*args.row_count, make_uint4(0, 0, 0, 0));
}

/// out = 0, before the second GEMM adds to it and after the first, whose input may lie there.
extern "C" __global__ void moe_clear(const __grid_constant__ ClearArguments args) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int pieces = args.columns / 8;
  const long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  if (i < args.tokens * pieces)
    *reinterpret_cast<uint4*>(args.out + i / pieces * args.out_pitch + i % pieces * 8) = make_uint4(0, 0, 0, 0);
}

/// silu_and_mul and its kin. A thread for each eight output columns.
extern "C" __global__ void activate_and_mul(const __grid_constant__ ActivateArguments args) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int pieces = args.columns / 8;
  const long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  if (i >= args.rows * pieces) return;
  const long long row = i / pieces;
  if (args.row_count != nullptr && row >= *args.row_count) return;
  if (args.topk_ids != nullptr && local_expert(args.map, args.topk_ids[row]) < 0) return;
  const int column = static_cast<int>(i % pieces) * 8;
  const unsigned short* from = args.in + row * 2 * args.columns + column;
  Eight gate = unpack_eight<kType>(load(from));
  const Eight up = unpack_eight<kType>(load(from + args.columns));
#pragma unroll
  for (int k = 0; k < 8; k += 2) {
    const Pair pair = activate<Activation::ACTIVATION>({gate.v[k], gate.v[k + 1]}, {up.v[k], up.v[k + 1]});
    gate.v[k] = pair.v[0], gate.v[k + 1] = pair.v[1];
  }
  store(args.out + row * args.columns + column, gate);
}

/// Where the addends lie.
enum class Places {
  rows,    ///< in row order
  slots,   ///< in slot order; all slots but stray ones have one: read beside what tells whether there is one
  mapped,  ///< in slot order, and many slots may have none: read after that
};

/// A thread for each eight output columns of a token; the slots are added in order, so the result is repeatable. Those
/// without an addend are left out.
template <Places Where>
__device__ __forceinline__ void sum_over_topk(const CombineArguments& args) {
  const int pieces = args.columns / 8;
  const long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  if (i >= args.tokens * pieces) return;
  const long long token = i / pieces;
  const int column = static_cast<int>(i % pieces) * 8;
  const int* const of_slot = Where == Places::rows || args.slot_rows != nullptr ? args.slot_rows : args.topk_ids;
  // What is known of a slot that has an addend: its row, or without a map its expert.
  const unsigned end = Where == Places::rows || args.slot_rows != nullptr
                           ? 1u << 31
                           : static_cast<unsigned>(min(args.map.global, args.map.experts));
  // Eight loads are under way before the first is added: with few tokens their latency is all that this kernel costs.
  constexpr int kBatch = 8;
  const unsigned long long read_once = ptx::evict_first_policy();  // the second GEMM asked the L2 to keep them
  Eight sum = {};
  for (int first = 0; first < args.topk; first += kBatch) {
    const long long first_slot = token * args.topk + first;
    int known[kBatch];
#pragma unroll
    for (int s = 0; s < kBatch; s++) {
      known[s] = first + s < args.topk ? of_slot[first_slot + s] : -1;
      if (Where == Places::mapped && args.slot_rows == nullptr) known[s] = local_expert(args.map, known[s]);
    }
    uint4 addends[kBatch];
#pragma unroll
    for (int s = 0; s < kBatch; s++) {
      addends[s] = make_uint4(0, 0, 0, 0);
      const long long at = Where == Places::rows ? known[s] : first_slot + s;
      if (Where == Places::slots ? first + s < args.topk : known[s] >= 0)
        addends[s] = ptx::load_global(args.in + at * args.columns + column, read_once);
    }
#pragma unroll
    for (int s = 0; s < kBatch; s++) {
      // Where all are read, zeros are added rather than nothing: a branch each would cost 14 registers more.
      if (static_cast<unsigned>(known[s]) >= end) {
        if constexpr (Where != Places::slots) continue;
        addends[s] = make_uint4(0, 0, 0, 0);
      }
      const Eight next = unpack_eight<kType>(addends[s]);
#pragma unroll
      for (int k = 0; k < 8; k++) sum.v[k] += next.v[k];
    }
  }
  store(args.out + token * args.out_pitch + column, sum);
}

extern "C" __global__ void moe_sum(const __grid_constant__ CombineArguments args) {
  sum_over_topk<Places::rows>(args);
}
extern "C" __global__ void moe_sum_of_slots(const __grid_constant__ CombineArguments args) {
  sum_over_topk<Places::slots>(args);
}
extern "C" __global__ void moe_sum_of_mapped_slots(const __grid_constant__ CombineArguments args) {
  sum_over_topk<Places::mapped>(args);
}

}  // namespace moetune::elementwise
