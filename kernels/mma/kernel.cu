// Grouped GEMM on mma.sync with a cp.async pipeline: invoke_fused_moe_kernel (plain, final), merged_moe_gate_kernel (gated)
// and merged_moe_final_kernel (final) of the portable engine. sm_80 and later.
//
// Compiled once per config by NVRTC with these macros:
//   BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, NUM_WARPS, NUM_STAGES (GROUP_SIZE_M is an argument: no need to compile it)
//   EPILOGUE, ACTIVATION, DTYPE (enumerators of kernels/lib/types.h), HAS_BIAS, WEIGHT_ON_INPUT, TOKEN_TILES (0 or 1)
//   KERNEL_NAME
#include "kernels/lib/activation.cuh"
#include "kernels/lib/arguments.h"
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

constexpr Epilogue kEpilogue = Epilogue::EPILOGUE;
constexpr Activation kActivation = Activation::ACTIVATION;
constexpr DType kType = DType::DTYPE;
constexpr bool kHasBias = HAS_BIAS;
constexpr bool kGated = kEpilogue == Epilogue::gated;
constexpr bool kSecond = kEpilogue == Epilogue::final;
/// The routing weight multiplies in the first GEMM or in the second.
constexpr bool kWeighted = (WEIGHT_ON_INPUT != 0) != kSecond;
/// Tiles of one token's slot, taken from topk_ids: no routing has run.
constexpr bool kTokenTiles = TOKEN_TILES;

constexpr int kThreads = num_threads(kConfig);
constexpr int kBlockM = kConfig.block_m, kBlockN = kConfig.block_n, kBlockK = kConfig.block_k, kStages = kConfig.num_stages;
constexpr WarpGrid kWarps = warp_grid(kConfig);
constexpr int kWarpM = kBlockM / kWarps.m, kWarpN = kBlockN / kWarps.n;
constexpr int kFragmentsM = kWarpM / kMmaM, kFragmentsN = kWarpN / kMmaN;
constexpr int kSteps = kBlockK / kMmaK;
constexpr int kOutColumns = out_columns(kConfig, kEpilogue);
constexpr int kStagingStride = staging_stride(kConfig, kEpilogue);

constexpr int kRowBytes = kBlockK * kElementBytes;
constexpr int kChunks = kBlockK / 8;                    // 16-byte pieces of a tile row
constexpr int kRowsPerPass = kThreads / kChunks;        // rows that the block copies at once
constexpr int kCopiesA = (kBlockM + kRowsPerPass - 1) / kRowsPerPass;
constexpr int kCopiesB = (kBlockN + kRowsPerPass - 1) / kRowsPerPass;
constexpr int kBytesA = kBlockM * kRowBytes;
constexpr int kStageBytes = stage_bytes(kConfig);
constexpr int kPipelineBytes = pipeline_bytes(kConfig, kEpilogue);

/// Where the 16-byte piece `chunk` of row `row` lies: pieces are permuted within 128 bytes so that the eight rows that one
/// ldmatrix reads fall into different banks.
__device__ __forceinline__ constexpr int swizzled(int row, int chunk) {
  const int key = kChunks >= 8 ? row & 7 : (row >> 1) & 3;
  return row * kRowBytes + ((chunk ^ key) << 4);
}

/// The tile this block computes.
struct Tile {
  int expert, row, rows;  // rows [row, row + rows) of the sorted order
  int column;             // first output column
};

/// Walks group_m row tiles down before it steps to the next column tile, so that blocks which run together share weights.
__device__ __forceinline__ bool find_tile(const GemmArguments& args, Tile& tile) {
  const int row_tiles = kTokenTiles ? args.slots : *args.tile_count;
  const int column_tiles = (args.out_columns + kOutColumns - 1) / kOutColumns;
  const int index = blockIdx.x;
  if (index >= row_tiles * column_tiles) return false;
  const int band = args.group_m * column_tiles;
  const int first = index / band * args.group_m;
  const int height = min(row_tiles - first, args.group_m);
  const int within = index % band;
  const int row_tile = first + within % height;
  tile.column = within / height * kOutColumns;
  if constexpr (kTokenTiles) {
    tile.expert = args.topk_ids[row_tile];
    tile.row = row_tile;
    tile.rows = 1;
  } else {
    const int4 entry = *reinterpret_cast<const int4*>(args.tiles + row_tile);
    tile.expert = entry.x;
    tile.row = entry.y;
    tile.rows = entry.z;
  }
  return true;
}

/// Copies tiles of A and of the weights into the stages.
struct Loader {
  const unsigned short* a[kCopiesA];
  const unsigned short* weights;
  unsigned weight_offsets[kCopiesB];
  unsigned a_bytes[kCopiesA];  // 0 for rows past the tile's end: they are zero-filled
  unsigned shared;             // this thread's piece of stage 0
  int chunk_k;                 // first element of this thread's pieces
  int first_row;
  int K;

  __device__ __forceinline__ void set_weights(const GemmArguments& args, const Tile& tile, unsigned smem) {
    const int chunk = threadIdx.x % kChunks;
    first_row = threadIdx.x / kChunks;
    chunk_k = chunk * 8;
    K = args.K;
    shared = smem + swizzled(first_row, chunk);
    weights = args.weights + static_cast<long long>(tile.expert) * args.weight_rows * K + chunk_k;
#pragma unroll
    for (int i = 0; i < kCopiesB; i++) {
      int row = first_row + i * kRowsPerPass;  // of the weight tile
      if constexpr (kGated) {
        const bool up = row >= kBlockN / 2;
        row = min(tile.column + (up ? row - kBlockN / 2 : row), args.out_columns - 1) + (up ? args.out_columns : 0);
      } else {
        row = min(tile.column + row, args.out_columns - 1);  // columns past the end repeat the last; they are not stored
      }
      weight_offsets[i] = static_cast<unsigned>(row) * static_cast<unsigned>(K);
    }
  }

  __device__ __forceinline__ void set_rows(const GemmArguments& args, const Tile& tile, const int* row_slots) {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) {
      const int row = first_row + i * kRowsPerPass;
      const bool real = row < tile.rows;
      a_bytes[i] = real ? 16u : 0u;
      long long source = 0;
      if (real) source = kSecond ? tile.row + row : row_slots[row] / args.topk;
      a[i] = args.a + source * K + chunk_k;
    }
  }

  /// One pass over the rows of A: tile `k_tile` into `stage`.
  __device__ __forceinline__ void copy_a_pass(int i, int stage, int k_tile) const {
    if (kBlockM % kRowsPerPass != 0 && first_row + i * kRowsPerPass >= kBlockM) return;
    const int k = k_tile * kBlockK;
    const bool inside = k + chunk_k < K;
    ptx::cp_async_16(shared + stage * kStageBytes + i * kRowsPerPass * kRowBytes, inside ? a[i] + k : a[i],
                     inside ? a_bytes[i] : 0u);
  }

  __device__ __forceinline__ void copy_weights_pass(int i, int stage, int k_tile) const {
    if (kBlockN % kRowsPerPass != 0 && first_row + i * kRowsPerPass >= kBlockN) return;
    const int k = k_tile * kBlockK;
    const bool inside = k + chunk_k < K;
    ptx::cp_async_16(shared + stage * kStageBytes + kBytesA + i * kRowsPerPass * kRowBytes,
                     weights + weight_offsets[i] + (inside ? k : 0), inside ? 16u : 0u);
  }

  __device__ __forceinline__ void copy_a(int stage, int k_tile) const {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++) copy_a_pass(i, stage, k_tile);
  }

  __device__ __forceinline__ void copy_weights(int stage, int k_tile) const {
#pragma unroll
    for (int i = 0; i < kCopiesB; i++) copy_weights_pass(i, stage, k_tile);
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
    const unsigned base = stage * kStageBytes;
#pragma unroll
    for (int m = 0; m < kFragmentsM; m++) ptx::ldmatrix_x4(f.a[m], ((a + m * kMmaM * kRowBytes) ^ (step * 32)) + base);
#pragma unroll
    for (int n = 0; n < kFragmentsN / 2; n++) {
      const int rows = kGated ? n * kMmaN : n * 2 * kMmaN;
      ptx::ldmatrix_x4(f.b[n], ((b + rows * kRowBytes) ^ (step * 32)) + base);
    }
  }
};
static_assert(kRowBytes <= 1024, "rows are aligned to their size, so that the exclusive or stays inside one");

using Accumulators = float[kFragmentsM][kFragmentsN][4];

__device__ __forceinline__ void multiply(Accumulators& acc, const Fragments& f) {
#pragma unroll
  for (int m = 0; m < kFragmentsM; m++)
#pragma unroll
    for (int n = 0; n < kFragmentsN; n++)
      ptx::mma_m16n8k16<kType>(acc[m][n], f.a[m], f.b[n / 2][n % 2 * 2], f.b[n / 2][n % 2 * 2 + 1]);
}

/// Bias, routing weight and activation in fp32, one rounding, into the staging rows.
__device__ __forceinline__ void finish(const GemmArguments& args, const Tile& tile, const Accumulators& acc,
                                       const int* row_slots, unsigned short* staging, int warp_m, int warp_n, int lane) {
#pragma unroll
  for (int m = 0; m < kFragmentsM; m++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = warp_m * kWarpM + m * kMmaM + half * 8 + lane / 4;
      float scale = 1.0f;
      if constexpr (kWeighted)
        if (row < tile.rows) scale = args.routing_weights[row_slots[row]];
      unsigned* out = reinterpret_cast<unsigned*>(staging + row * kStagingStride);
      const unsigned short* bias = args.bias + static_cast<long long>(tile.expert) * args.weight_rows;
      auto value = [&](int n, int i, int column, int bias_row) {
        float v = acc[m][n][2 * half + i];
        if constexpr (kHasBias)
          if (column < args.out_columns) v += ptx::widen<kType>(bias[bias_row]);
        return kWeighted ? v * scale : v;
      };
#pragma unroll
      for (int n = 0; n < kFragmentsN; n += kGated ? 2 : 1) {
        const int in_tile = (kGated ? warp_n * (kWarpN / 2) + n / 2 * kMmaN : warp_n * kWarpN + n * kMmaN) + lane % 4 * 2;
        const int column = tile.column + in_tile;
        float v[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
          if constexpr (kGated)
            v[i] = activate<kActivation>(value(n, i, column, column + i), value(n + 1, i, column, args.out_columns + column + i));
          else
            v[i] = value(n, i, column, column + i);
        }
        out[in_tile / 2] = ptx::pack<kType>(v[0], v[1]);
      }
    }
}

/// Writes the staged rows in 16-byte pieces; only rows and columns that exist.
__device__ __forceinline__ void store(const GemmArguments& args, const Tile& tile, const int* row_slots,
                                      const unsigned short* staging) {
  constexpr int kPieces = kOutColumns / 8;
  for (int i = threadIdx.x; i < tile.rows * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces;
    const int column = tile.column + piece * 8;
    if (column >= args.out_columns) continue;
    const long long out_row = kSecond ? row_slots[row] : tile.row + row;
    *reinterpret_cast<uint4*>(args.out + out_row * args.out_columns + column) =
        *reinterpret_cast<const uint4*>(staging + row * kStagingStride + piece * 8);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads) KERNEL_NAME(const __grid_constant__ GemmArguments args) {
  extern __shared__ __align__(1024) unsigned char memory[];
  int* row_slots = reinterpret_cast<int*>(memory + kPipelineBytes);
  const unsigned smem = ptx::shared_address(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_m = warp % kWarps.m, warp_n = warp / kWarps.m;
  const int k_tiles = (args.K + kBlockK - 1) / kBlockK;

  // The second GEMM may read the routing and start on its weights at once: the kernel before it has waited for the routing
  // before it allowed this one to start. Only its input needs the wait.
  if constexpr (!kSecond) ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  Tile tile;
  const bool has_tile = find_tile(args, tile);
  if (!has_tile) {
    if constexpr (kSecond) ptx::grid_dependency_wait();
    return;
  }
  for (int i = threadIdx.x; i < tile.rows; i += kThreads)
    row_slots[i] = args.sorted_slots == nullptr ? tile.row + i : args.sorted_slots[tile.row + i];

  Loader loader;
  loader.set_weights(args, tile, smem);
  const int prologue = min(kStages - 1, k_tiles);
  if constexpr (kSecond) {
    for (int stage = 0; stage < prologue; stage++) loader.copy_weights(stage, stage);
    ptx::grid_dependency_wait();
  }
  __syncthreads();  // row_slots
  loader.set_rows(args, tile, row_slots);
  for (int stage = 0; stage < kStages - 1; stage++) {
    if (stage < prologue) {
      if constexpr (!kSecond) loader.copy_weights(stage, stage);
      loader.copy_a(stage, stage);
    }
    ptx::cp_async_commit();  // second GEMM: the first group also holds all the weights copied so far
  }

  Accumulators acc = {};
  Fragments fragments[2];
  const FragmentReader reader(smem, warp_m, warp_n, lane);
  ptx::cp_async_wait<kStages - 2>();
  __syncthreads();
  reader.read(fragments[0], 0, 0);

  int read_stage = 0, write_stage = kStages - 1;
  for (int k_tile = 0; k_tile < k_tiles; k_tile++) {
    const int next = k_tile + kStages - 1;
#pragma unroll
    for (int step = 0; step < kSteps; step++) {
      if (step == kSteps - 1) {  // the next k tile must be there, and all warps done with the stage that is filled next
        ptx::cp_async_wait<kStages - 2>();
        __syncthreads();
        read_stage = read_stage + 1 == kStages ? 0 : read_stage + 1;
      }
      reader.read(fragments[(step + 1) % 2], read_stage, (step + 1) % kSteps);
      if (next < k_tiles) {  // the copies are spread over the steps but the last
#pragma unroll
        for (int i = 0; i < kCopiesA; i++)
          if (i % (kSteps - 1) == step) loader.copy_a_pass(i, write_stage, next);
#pragma unroll
        for (int i = 0; i < kCopiesB; i++)
          if ((i + kCopiesA) % (kSteps - 1) == step) loader.copy_weights_pass(i, write_stage, next);
      }
      if (step == kSteps - 2) {
        ptx::cp_async_commit();
        write_stage = write_stage + 1 == kStages ? 0 : write_stage + 1;
      }
      multiply(acc, fragments[step % 2]);
    }
  }

  ptx::cp_async_wait<0>();
  __syncthreads();  // the pipeline's memory becomes the staging rows
  unsigned short* staging = reinterpret_cast<unsigned short*>(memory);
  finish(args, tile, acc, row_slots, staging, warp_m, warp_n, lane);
  __syncthreads();
  store(args, tile, row_slots, staging);
}

}  // namespace moetune::mma
