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

/// A thread for each eight output columns of a token; the slots are added in order, so the result is repeatable.
extern "C" __global__ void moe_sum(const __grid_constant__ CombineArguments args) {
  const int pieces = args.columns / 8;
  const long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  if (i >= args.tokens * pieces) return;
  const long long token = i / pieces;
  const int column = static_cast<int>(i % pieces) * 8;
  const auto row_of = [&](int s) {
    const long long slot = token * args.topk + s;
    return args.slot_rows == nullptr ? slot : args.slot_rows[slot];
  };
  // Eight loads are under way before the first is added: with few tokens their latency is all that this kernel costs.
  constexpr int kBatch = 8;
  Eight sum = {};
  for (int first = 0; first < args.topk; first += kBatch) {
    uint4 slots[kBatch];
#pragma unroll
    for (int s = 0; s < kBatch; s++)
      slots[s] =
          first + s < args.topk ? load(args.in + row_of(first + s) * args.columns + column) : make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int s = 0; s < kBatch; s++) {
      const Eight next = unpack_eight<kType>(slots[s]);
#pragma unroll
      for (int k = 0; k < 8; k++) sum.v[k] += next.v[k];
    }
  }
  store(args.out + token * args.out_pitch + column, sum);
}

}  // namespace moetune::elementwise
