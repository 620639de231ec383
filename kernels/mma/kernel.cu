// Grouped GEMM on mma.sync with a cp.async pipeline: invoke_fused_moe_kernel (plain, final), merged_moe_gate_kernel
// (gated) and merged_moe_final_kernel (final) of the portable engine. sm_80 and later.
//
// Compiled once per config by NVRTC with these macros:
// - BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, NUM_WARPS, NUM_STAGES (GROUP_SIZE_M is an argument)
// - EVEN_K: K is a multiple of BLOCK_SIZE_K; NARROW: the output has fewer columns than a tile (0 or 1)
// - those of kernels/lib/gemm_settings.cuh, and KERNEL_NAME
#include "kernels/lib/activation.cuh"
#include "kernels/lib/early_tile.cuh"
#include "kernels/lib/gemm_settings.cuh"
#include "kernels/mma/quad.cuh"
#include "kernels/mma/row_info.cuh"
#include "kernels/mma/traits.h"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/cp_async.cuh"
#include "kernels/ptx/grid_dependency.cuh"
#include "kernels/ptx/mma.cuh"

namespace moetune::mma {

constexpr Config kConfig{.block_m = BLOCK_SIZE_M,
                         .block_n = BLOCK_SIZE_N,
                         .block_k = BLOCK_SIZE_K,
                         .group_m = 1,  // see GemmArguments
                         .num_warps = NUM_WARPS,
                         .num_stages = NUM_STAGES};
static_assert(why_invalid(kConfig) == nullptr);

using G = GemmSettings<Epilogue::EPILOGUE, HAS_BIAS>;
constexpr Epilogue kEpilogue = G::kEpilogue;
constexpr bool kGated = G::kGated, kSecond = G::kSecond, kHasBias = G::kHasBias, kWeighted = G::kWeighted;
constexpr bool kEvenK = EVEN_K;
constexpr bool kNarrow = NARROW;

constexpr int kThreads = num_threads(kConfig);
constexpr int kBlockM = kConfig.block_m, kBlockN = kConfig.block_n, kBlockK = kConfig.block_k,
              kStages = kConfig.num_stages;
constexpr WarpGrid kWarps = warp_grid(kConfig);
constexpr int kWarpM = kBlockM / kWarps.m, kWarpN = kBlockN / kWarps.n;
constexpr int kFragmentsM = kWarpM / kMmaM, kFragmentsN = kWarpN / kMmaN;
constexpr int kSteps = kBlockK / kMmaK;
constexpr int kOutColumns = out_columns(kConfig, kEpilogue);

constexpr int kRowBytes = kBlockK * kElementBytes;
constexpr int kChunks = kBlockK / 8;              // 16-byte pieces of a tile row
constexpr int kRowsPerPass = kThreads / kChunks;  // rows that the block copies at once
constexpr int kCopiesA = (kBlockM + kRowsPerPass - 1) / kRowsPerPass;
constexpr int kCopiesB = (kBlockN + kRowsPerPass - 1) / kRowsPerPass;
constexpr int kBytesA = kBlockM * kRowBytes;
constexpr int kStageBytes = stage_bytes(kConfig);

/// Where the 16-byte piece `chunk` of row `row` lies: pieces are permuted within 128 bytes so that the eight rows that
/// one ldmatrix reads fall into different banks.
__device__ __forceinline__ constexpr int swizzled(int row, int chunk) {
  const int key = kChunks >= 8 ? row & 7 : (row >> 1) & 3;
  return row * kRowBytes + ((chunk ^ key) << 4);
}

constexpr TileShape kTileShape{.rows = kBlockM, .columns = kOutColumns, .even = false, .token_tiles = kTokenTiles};

__device__ __forceinline__ int column_tiles_of(const GemmArguments& args) {
  return (args.out_columns + kOutColumns - 1) / kOutColumns;
}

/// This block's tile, from what is known of its row tile.
__device__ __forceinline__ Tile own_tile(const GemmArguments& args, const RowTile& entry) {
  Tile tile = tile_at<kTileShape>(args, entry, blockIdx.x, column_tiles_of(args));
  // The last column tile is moved left until it ends with the output: it computes some columns again, to the same bits,
  // and the copies of weights need no bounds.
  if constexpr (!kNarrow) tile.column = min(tile.column, args.out_columns - kOutColumns);
  return tile;
}

/// Finds this block's tile; false where there are fewer, or nothing to do in it.
__device__ __forceinline__ bool find_tile(const GemmArguments& args, Tile& tile) {
  const int row_tiles = kTokenTiles ? args.slots : *args.tile_count;
  const int column_tiles = column_tiles_of(args), index = blockIdx.x;
  if (index >= row_tiles * column_tiles) return false;
  tile = own_tile(args, tile_entry<kTileShape>(args, index, column_tiles));
  if constexpr (kTokenTiles) {
    if (tile.expert < 0) return false;
    tile.rows = 1;  // known to the compiler
  }
  return true;
}

/// The same before slots are grouped; with the shared memory of a stage that is filled after the next __syncthreads.
__device__ __forceinline__ bool find_early_tile(const GemmArguments& args, Tile& tile, unsigned char* stage) {
  static_assert(kStageBytes >= 1024 * sizeof(int), "a count for each expert");
  const RowTile entry = count_entry<kTileShape, kThreads>(args, blockIdx.x / column_tiles_of(args),
                                                          reinterpret_cast<int*>(stage), [] { __syncthreads(); });
  if (entry.rows == 0) return false;
  tile = own_tile(args, entry);
  return true;
}

/// Copies the k tiles of A and of the weights of one tile, one after the other.
struct Loader {
  const GemmArguments& args;
  const char* a[kCopiesA];  // this thread's piece of the k tile, in each pass
  const char* weights;      // the same of the first pass; the other passes lie at multiples of pass_bytes
  unsigned pass_bytes;      // between the weight rows of two passes
  long long up_bytes;       // gated: from a gate row to its up row
  unsigned real_rows;       // bit i: the row of pass i exists; others are zero-filled
  unsigned shared;          // this thread's piece of stage 0
  int k_left;               // elements of K from this thread's piece on
  int last_row;             // narrow: weight rows past this one repeat it; their columns are not stored

  __device__ __forceinline__ Loader(const GemmArguments& arguments, unsigned smem) : args(arguments) {
    shared = smem + swizzled(threadIdx.x / kChunks, threadIdx.x % kChunks);
    pass_bytes = static_cast<unsigned>(kRowsPerPass * args.K) * kElementBytes;
    up_bytes = static_cast<long long>(args.out_columns) * args.K * kElementBytes;
  }

  __device__ __forceinline__ void set_weights(const Tile& tile) {
    const int chunk = threadIdx.x % kChunks, row = threadIdx.x / kChunks;
    k_left = args.K - chunk * 8;
    last_row = args.out_columns - 1 - tile.column;
    const long long first = static_cast<long long>(tile.expert) * args.weight_rows + tile.column + (kNarrow ? 0 : row);
    weights = reinterpret_cast<const char*>(args.weights + first * args.K + chunk * 8);
  }

  __device__ __forceinline__ void set_rows(const Tile& tile) {
    const int chunk = threadIdx.x % kChunks, first_row = threadIdx.x / kChunks;
    real_rows = 0;
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) {
      const int row = first_row + i * kRowsPerPass;
      const bool real = row < tile.rows;
      long long source = 0;
      if (real) source = kSecond ? tile.row + row : slot_of<kTokenTiles>(args, tile.row + row) / args.topk;
      real_rows |= (real ? 1u : 0u) << i;
      a[i] = reinterpret_cast<const char*>(args.a + source * args.a_pitch + chunk * 8);
    }
  }

  /// Pass i over the rows of A. Past the end of K nothing is read and zeros are written.
  __device__ __forceinline__ void copy_a_pass(int i, int stage) const {
    if (kBlockM % kRowsPerPass != 0 && threadIdx.x / kChunks + i * kRowsPerPass >= kBlockM) return;
    const bool inside = kEvenK || k_left > 0;
    ptx::cp_async_16(shared + stage * kStageBytes + i * kRowsPerPass * kRowBytes, a[i],
                     inside && (real_rows >> i & 1) ? 16u : 0u);
  }

  __device__ __forceinline__ void copy_weights_pass(int i, int stage) const {
    if (kBlockN % kRowsPerPass != 0 && threadIdx.x / kChunks + i * kRowsPerPass >= kBlockN) return;
    const bool inside = kEvenK || k_left > 0;
    const char* from = weights;
    if constexpr (kNarrow || (kGated && kBlockN / 2 % kRowsPerPass != 0)) {  // a pass may hold gate and up rows
      const int first_row = threadIdx.x / kChunks;
      int row = first_row + i * kRowsPerPass;
      const bool up = kGated && row >= kBlockN / 2;
      if (up) row -= kBlockN / 2;
      row = kNarrow ? min(row, last_row) : row - first_row;
      from += static_cast<long long>(row) * (args.K * kElementBytes) + (up ? up_bytes : 0);
    } else {
      constexpr int kGatePasses = kGated ? kBlockN / 2 / kRowsPerPass : kCopiesB;
      from += static_cast<unsigned long long>(i % kGatePasses) * pass_bytes + (i >= kGatePasses ? up_bytes : 0);
    }
    ptx::cp_async_16(shared + stage * kStageBytes + kBytesA + i * kRowsPerPass * kRowBytes, from, inside ? 16u : 0u);
  }

  __device__ __forceinline__ void copy_a(int stage) const {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) copy_a_pass(i, stage);
  }

  __device__ __forceinline__ void copy_weights(int stage) const {
#pragma unroll
    for (int i = 0; i < kCopiesB; i++) copy_weights_pass(i, stage);
  }

  __device__ __forceinline__ void advance_a() {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) a[i] += kRowBytes;
  }
  __device__ __forceinline__ void advance_weights() {
    weights += kRowBytes;
    k_left -= kBlockK;
  }
};
// A pass moves every thread down by kRowsPerPass rows; its swizzle key must not change with it.
static_assert(kRowsPerPass % 8 == 0, "the loader advances by whole swizzle periods");

/// The fragments of one k16 step.
struct Fragments {
  unsigned a[kFragmentsM][4];
  unsigned b[kFragmentsN / 2][4];  // two n8 fragments each: {k 0-7, k 8-15} of the first, then of the second
};

/// Reads fragments; the addresses of a step differ by one exclusive or.
struct FragmentReader {
  unsigned a, b;  // shared addresses in stage 0, step 0

  __device__ __forceinline__ FragmentReader(unsigned smem, int warp_m, int warp_n, int lane) {
    a = smem + swizzled(warp_m * kWarpM + (lane & 15), lane >> 4);
    // Gated: the two fragments of a pair are gate and up of the same columns, so that both end in the same thread.
    const int pair_row = kGated ? (lane >> 4) * (kBlockN / 2) : (lane >> 4) * kMmaN;
    const int warp_row = kGated ? warp_n * (kWarpN / 2) : warp_n * kWarpN;
    b = smem + kBytesA + swizzled(warp_row + pair_row + (lane & 7), (lane >> 3) & 1);
  }

  __device__ __forceinline__ void read(Fragments& f, int stage, int step) const {
    const unsigned a_step = (a + stage * kStageBytes) ^ (step * 32), b_step = (b + stage * kStageBytes) ^ (step * 32);
#pragma unroll
    for (int m = 0; m < kFragmentsM; m++) ptx::ldmatrix_x4(f.a[m], a_step + m * kMmaM * kRowBytes);
#pragma unroll
    for (int n = 0; n < kFragmentsN / 2; n++)
      ptx::ldmatrix_x4(f.b[n], b_step + n * (kGated ? 1 : 2) * kMmaN * kRowBytes);
  }
};
static_assert(kStageBytes % kRowBytes == 0 && kRowBytes <= 1024,
              "rows are aligned to their size: the exclusive or stays inside one");

using Accumulators = float[kFragmentsM][kFragmentsN][4];

__device__ __forceinline__ void multiply(Accumulators& acc, const Fragments& f) {
#pragma unroll
  for (int m = 0; m < kFragmentsM; m++)
#pragma unroll
    for (int n = 0; n < kFragmentsN; n++)
      ptx::mma_m16n8k16<kType>(acc[m][n], f.a[m], f.b[n / 2][n % 2 * 2], f.b[n / 2][n % 2 * 2 + 1]);
}

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

template <bool Value>
struct Bool {
  static constexpr bool value = Value;
};

extern "C" __global__ void __launch_bounds__(kThreads) KERNEL_NAME(const __grid_constant__ GemmArguments args) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const unsigned smem = ptx::shared_address(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  // The warps of one row block are on different schedulers: where its rows are empty, all schedulers gain.
  const int warp_m = warp / kWarps.n, warp_n = warp % kWarps.n;
  const int k_tiles = (args.K + kBlockK - 1) / kBlockK;

  // The second GEMM may read the routing and start on its weights at once: the kernel before it has waited for the
  // routing before it allowed this one to start. Only its input needs the wait. Of the first GEMM the blocks that are
  // there from the start do so too, while slots are being grouped.
  const bool is_early = !kSecond && !kTokenTiles && static_cast<int>(blockIdx.x) < args.early_blocks;
  if (!kSecond && !is_early) ptx::grid_dependency_wait();
  if (!is_early) ptx::grid_dependency_launch();
  Tile tile;
  if (!(is_early ? find_early_tile(args, tile, memory + (kStages - 1) * kStageBytes) : find_tile(args, tile))) {
    if (kSecond || is_early) ptx::grid_dependency_wait();
    return;
  }
  Loader loader(args, smem);
  loader.set_weights(tile);
  if (kSecond || is_early) {
    Loader early = loader;
    for (int stage = 0; stage < min(kStages - 1, k_tiles); stage++) {
      early.copy_weights(stage);
      early.advance_weights();
    }
    ptx::grid_dependency_wait();
    if (is_early) ptx::grid_dependency_launch();
  }
  loader.set_rows(tile);
  for (int stage = 0; stage < kStages - 1; stage++) {
    if (stage < k_tiles) {
      if (!kSecond && !is_early) loader.copy_weights(stage);
      loader.copy_a(stage);
    }
    loader.advance_a();
    loader.advance_weights();
    ptx::cp_async_commit();  // after an early start the first group also holds all the weights copied so far
  }

  Rows rows;
  rows.load_slots(args, tile, warp_m * kWarpM);
  Accumulators acc = {};
  Fragments fragments[2];
  const FragmentReader reader(smem, warp_m, warp_n, lane);
  ptx::cp_async_wait<kStages - 2>();
  __syncthreads();
  reader.read(fragments[0], 0, 0);
  rows.load_weights(args);

  // One k tile: read the fragments of the next step, copy a part of a later k tile, multiply. Where all warps have rows
  // in this tile nothing branches: that would keep the compiler from spreading the copies among the products (15 %).
  // Where some have none these only copy, with a branch before and after the one barrier (3 to 8 %).
  int read_stage = 0, write_stage = kStages - 1;
  const auto copy_part = [&](int step) {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++)
      if (i % (kSteps - 1) == step) loader.copy_a_pass(i, write_stage);
#pragma unroll
    for (int i = 0; i < kCopiesB; i++)
      if ((i + kCopiesA) % (kSteps - 1) == step) loader.copy_weights_pass(i, write_stage);
  };
  const auto work = [&](auto all_have_rows) {
    const bool has_rows = all_have_rows.value || warp_m * kWarpM < tile.rows;
#pragma unroll 1
    for (int k_tile = 0; k_tile < k_tiles; k_tile++) {
      const bool more = k_tile + kStages - 1 < k_tiles;
      if (has_rows) {
#pragma unroll
        for (int step = 0; step < kSteps - 1; step++) {
          reader.read(fragments[(step + 1) % 2], read_stage, step + 1);
          if (more) copy_part(step);
          multiply(acc, fragments[step % 2]);
        }
      } else if (more) {
#pragma unroll
        for (int step = 0; step < kSteps - 1; step++) copy_part(step);
      }
      ptx::cp_async_commit();
      loader.advance_a();
      loader.advance_weights();
      write_stage = write_stage + 1 == kStages ? 0 : write_stage + 1;
      // The next k tile must be there, and all warps done with the stage that is filled next.
      ptx::cp_async_wait<kStages - 2>();
      __syncthreads();
      read_stage = read_stage + 1 == kStages ? 0 : read_stage + 1;
      if (has_rows) {
        reader.read(fragments[kSteps % 2], read_stage, 0);
        multiply(acc, fragments[(kSteps - 1) % 2]);
      }
    }
    if (has_rows) finish(args, tile, rows, acc, warp_m, warp_n, lane);
  };
  // The largest accumulators leave no registers for a loop that branches: there a warp without rows multiplies zeros.
  constexpr bool kMayIdle = kWarps.m > 1 && kFragmentsM * kFragmentsN * 4 < 128;
  if (!kMayIdle || tile.rows > (kWarps.m - 1) * kWarpM)
    work(Bool<true>{});
  else
    work(Bool<false>{});
}

}  // namespace moetune::mma
