// The steps between and after the GEMMs: activation (three_kernel only) and the sum over topk. Compiled with DTYPE and
// ACTIVATION. Eight columns, 16 bytes, per thread; the widths are multiples of 8.
#include "kernels/lib/activation.cuh"
#include "kernels/lib/arguments.h"
#include "kernels/lib/eight.cuh"
#include "kernels/ptx/grid_dependency.cuh"

namespace moetune::elementwise {

constexpr DType kType = DType::DTYPE;

__device__ __forceinline__ uint4 load(const unsigned short* from) {
  return *reinterpret_cast<const uint4*>(from);
}

__device__ __forceinline__ void store(unsigned short* to, const Eight& e) {
  *reinterpret_cast<uint4*>(to) = pack_eight<kType>(e);
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

/// A thread for each eight output columns of a token; the slots are added in order, so the result is repeatable. Those
/// without a row are left out.
extern "C" __global__ void moe_sum(const __grid_constant__ CombineArguments args) {
  const int pieces = args.columns / 8;
  const long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  if (i >= args.tokens * pieces) return;
  const long long token = i / pieces;
  const int column = static_cast<int>(i % pieces) * 8;
  // Without a map all but stray slots have a row: where places are known they are read before that is.
  const bool reads_all = args.in_slot_order && args.map.local == nullptr;
  const int* const of_slot = args.slot_rows != nullptr ? args.slot_rows : args.topk_ids;
  // What a slot that has a row is known to be below. Of experts it is their number, where no map says more.
  const unsigned end =
      args.slot_rows != nullptr ? 1u << 31 : static_cast<unsigned>(min(args.map.global, args.map.experts));
  // Eight loads are under way before the first is added, and all that tells where from before them: with few tokens
  // their latency is all that this kernel costs.
  constexpr int kBatch = 8;
  Eight sum = {};
  for (int first = 0; first < args.topk; first += kBatch) {
    const long long first_slot = token * args.topk + first;
    int known[kBatch];
#pragma unroll
    for (int s = 0; s < kBatch; s++) known[s] = first + s < args.topk ? of_slot[first_slot + s] : -1;
    uint4 slots[kBatch];
#pragma unroll
    for (int s = 0; s < kBatch; s++) slots[s] = make_uint4(0, 0, 0, 0);
    if (reads_all) {
#pragma unroll
      for (int s = 0; s < kBatch; s++)
        if (first + s < args.topk) slots[s] = load(args.in + (first_slot + s) * args.columns + column);
    } else {
      if (args.slot_rows == nullptr) {
#pragma unroll
        for (int s = 0; s < kBatch; s++) known[s] = local_expert(args.map, known[s]);
      }
#pragma unroll
      for (int s = 0; s < kBatch; s++)
        if (known[s] >= 0)
          slots[s] = load(args.in + (args.in_slot_order ? first_slot + s : known[s]) * args.columns + column);
    }
#pragma unroll
    for (int s = 0; s < kBatch; s++) {
      if (static_cast<unsigned>(known[s]) >= end) continue;
      const Eight next = unpack_eight<kType>(slots[s]);
#pragma unroll
      for (int k = 0; k < 8; k++) sum.v[k] += next.v[k];
    }
  }
  store(args.out + token * args.out_pitch + column, sum);
}

}  // namespace moetune::elementwise
