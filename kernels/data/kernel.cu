// Work around the pipelines: inputs, checks of outputs, cache flushes. Never timed as part of one.
#include "kernels/lib/arguments.h"

namespace moetune::data {

/// Two elements per thread and step; tensors hold an even number of elements (their widths are multiples of 8).
extern "C" __global__ void fill_tensor(const __grid_constant__ FillArguments args) {
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x * 2;
  for (long long i = (blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x) * 2; i < args.count; i += step) {
    const unsigned low = fill_bits(args.spec, i), high = fill_bits(args.spec, i + 1);
    *reinterpret_cast<unsigned*>(args.out + i) = low | high << 16;
  }
}

/// Counts what must not be in an output, and hashes its bits; the hash does not depend on the order of the sum.
extern "C" __global__ void scan_output(const __grid_constant__ ScanArguments args) {
  unsigned long long hash = 0, nonfinite = 0, unwritten = 0;
  const unsigned exponent = args.dtype == DType::bf16 ? 0x7f80u : 0x7c00u;
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x; i < args.count; i += step) {
    const unsigned short bits = args.in[i];
    hash += mix_bits(static_cast<unsigned long long>(i) << 16 | bits);
    if (bits == args.poison)
      unwritten++;
    else if ((bits & exponent) == exponent)
      nonfinite++;
  }
  atomicAdd(&args.result->hash, hash);
  if (nonfinite) atomicAdd(&args.result->nonfinite, nonfinite);
  if (unwritten) atomicAdd(&args.result->unwritten, unwritten);
}

/// Streams memory through the cache. Eight independent 16-byte loads per thread keep enough bytes in flight.
extern "C" __global__ void __launch_bounds__(512) read_memory(const __grid_constant__ ReadArguments args) {
  const uint4* in = static_cast<const uint4*>(args.in);
  unsigned folded = 0;
  constexpr int kLoads = 8;
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x * kLoads;
  for (long long first = blockIdx.x * static_cast<long long>(blockDim.x) * kLoads + threadIdx.x; first < args.count;
       first += step) {
    uint4 words[kLoads];
#pragma unroll
    for (int k = 0; k < kLoads; k++) {
      const long long i = first + static_cast<long long>(k) * blockDim.x;
      words[k] = i < args.count ? in[i] : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int k = 0; k < kLoads; k++) folded ^= words[k].x ^ words[k].y ^ words[k].z ^ words[k].w;
  }
  if (folded == 0x5eed1e55u) *args.sink = folded;
}

}  // namespace moetune::data
