// From accumulators to the output: bias, routing weight and activation in fp32, one rounding, one store. Tiles go out
// through shared memory as boxes, by the copy engine while the next tile is under way; where a tile has few tokens,
// straight from the registers. Rows that are added to their tokens' sums go to wherever these are, 16 bytes at a time.
#pragma once

#include "kernels/lib/activation.cuh"
#include "kernels/lib/row_tiles.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/barrier.cuh"
#include "kernels/ptx/cache_policy.cuh"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/shared_memory.cuh"
#include "kernels/ptx/tensor_copy.cuh"
#include "kernels/ptx/warpgroup.cuh"
#include "kernels/wgmma/pipeline.cuh"

namespace moetune::wgmma {

/// [part][…] as kernels/ptx/wgmma.cuh lays out one instruction's. A part is 64 tokens; swapped, 64 weight rows.
using Accumulators = float[kParts][kInstructionN / 2];

/// The routing weights of the rows that a warp has: its 16 of each part; swapped, all of the tile. Lane l keeps those
/// of rows l, l + 32, … of each set.
template <class G>
struct RowWeights {
  static constexpr int kSets = kSwapped ? 1 : kParts, kRows = kSwapped ? kBlockM : 16, kPerLane = (kRows + 31) / 32;
  float of[kSets][kPerLane];

  __device__ __forceinline__ void load(const GemmArguments& args, const Tile& tile, int consumer, int warp) {
    if constexpr (G::kWeighted)
#pragma unroll
      for (int set = 0; set < kSets; set++)
#pragma unroll
        for (int i = 0; i < kPerLane; i++) {
          const int within = i * 32 + static_cast<int>(threadIdx.x % 32);
          const int row = kSwapped ? within : (consumer * kParts + set) * 64 + warp * 16 + within;
          of[set][i] = within < kRows && row < tile.rows ? args.row_weights[tile.row + row] : 0.0f;
        }
  }
  /// For all lanes; 1 where there is no weight to apply.
  __device__ __forceinline__ float at(int set, int row) const {
    return G::kWeighted ? __shfl_sync(~0u, of[set][row / 32], row % 32) : 1.0f;
  }
};

/// What one warp of a consumer does with its part of the accumulators.
template <class G>
class Store {
 public:
  __device__ __forceinline__ Store(const GemmArguments& args, const TensorMap& out_map, const Stages& stages,
                                   int consumer)
      : args_(args),
        out_map_(out_map),
        stages_(stages),
        consumer_(consumer),
        warp_(threadIdx.x % kWarpgroup / 32),
        lane_(threadIdx.x % 32) {}

  __device__ __forceinline__ void operator()(const Tile& tile, const RowWeights<G>& weights, const Accumulators& acc) {
    publish();
    if constexpr (kSwapped && kStaged)
      stage_columns(tile, weights, acc);
    else if constexpr (kSwapped)
      store_columns(tile, weights, acc);
    else
      stage_rows(tile, weights, acc);
    tiles_++;
    row_tile_ = tile.row_tile;
  }

  /// Instead, for a tile of which this consumer has no rows.
  __device__ __forceinline__ void skip(const Tile& tile) {
    publish();
    tiles_++;
    row_tile_ = tile.row_tile;
  }

  /// Before the block ends.
  __device__ __forceinline__ void wait() {
    if constexpr (kPublishes)
      publish();
    else if constexpr (kStaged && !kAddsRows)
      if (is_issuer()) ptx::wait_for_stores<0>();
  }

 private:
  static constexpr bool kStaged = stages_output(kConfig);
  static constexpr int kPanelColumns = store_panel(kConfig, G::kEpilogue);
  static constexpr int kStoreRowBytes = kPanelColumns * kElementBytes;
  /// Swapped: the 8-row halves of a warp's 16 rows that are columns of the output, and how many columns they make.
  static constexpr int kHalves = G::kGated ? 1 : 2, kWarpColumns = 8 * kHalves;

  static constexpr bool kPublishes = kFusesCombine || G::kHandsOver;

  /// Tells those who wait for them that the tiles so far have been stored. Called a tile's products later, when the
  /// copy engine has long been done with them.
  __device__ __forceinline__ void publish() {
    if constexpr (kPublishes) {
      if constexpr (!kStaged) sync();
      if (!is_issuer()) return;
      if constexpr (kStaged) {
        ptx::wait_for_stores<0>();
        ptx::fence_async_proxy_global();
      }
      if constexpr (kFusesCombine) ptx::raise_shared(stages_.stored(consumer_), tiles_);
      if constexpr (G::kHandsOver)
        if (tiles_ > 0) ptx::add_release(args_.rows_done + row_tile_, 1);
    }
  }

  __device__ __forceinline__ bool is_issuer() const { return threadIdx.x % kWarpgroup == 0; }
  /// All warps of this consumer.
  __device__ __forceinline__ void sync() const { ptx::barrier_sync(2 + consumer_, kWarpgroup); }

  static __device__ __forceinline__ float plain_value(float value, float bias, float weight) {
    if constexpr (G::kHasBias) value += bias;
    if constexpr (G::kWeighted) value *= weight;
    return value;
  }
  /// Where the 16-byte piece `chunk` of row `row` of a panel lies, as the copy engine expects it: swizzled over 128 or
  /// 64 bytes.
  static __device__ __forceinline__ int in_panel(int row, int chunk) {
    return row * kStoreRowBytes + ((kStoreRowBytes == 128 ? chunk ^ (row & 7) : chunk ^ ((row >> 1) & 3)) << 4);
  }

  /// Where the rows of a panel are added that this thread has pieces of 16 bytes of: every kRowsAtOnce-th one. -1
  /// beyond the tile's.
  struct Targets {
    static constexpr int kPiecesOfRow = kPanelColumns / 8, kRowsAtOnce = kWarpgroup / kPiecesOfRow;
    static constexpr int kRows = store_rows(kConfig) / kRowsAtOnce;
    int tokens[kRows];
  };
  __device__ __forceinline__ Targets targets(const Tile& tile, int first_row) const {
    Targets targets = {};
    if constexpr (kAddsRows)
#pragma unroll
      for (int i = 0; i < Targets::kRows; i++) {
        const int row = first_row + i * Targets::kRowsAtOnce + threadIdx.x % kWarpgroup / Targets::kPiecesOfRow;
        targets.tokens[i] = row < tile.rows ? token_of(tile.row + row) : -1;
      }
    return targets;
  }
  __device__ __forceinline__ int token_of(int row) const {
    return static_cast<int>(static_cast<unsigned>(slot_of<kTokenTiles>(args_, row)) /
                            static_cast<unsigned>(args_.topk));
  }
  __device__ __forceinline__ unsigned short* sum_at(int token, int column) const {
    return args_.combined + static_cast<long long>(token) * args_.combined_pitch + column;
  }
  /// Adds a buffer's panel to the sums.
  __device__ __forceinline__ void add(unsigned buffer, const Targets& targets, int first_column) const {
    sync();
    const int thread = threadIdx.x % kWarpgroup, chunk = thread % Targets::kPiecesOfRow;
    const int column = first_column + chunk * 8;
    if (column >= args_.out_columns) return;
#pragma unroll
    for (int i = 0; i < Targets::kRows; i++) {
      const int row = i * Targets::kRowsAtOnce + thread / Targets::kPiecesOfRow;
      if (targets.tokens[i] >= 0)
        ptx::add_eight<kType>(sum_at(targets.tokens[i], column), ptx::load_shared_16(buffer + in_panel(row, chunk)));
    }
  }

  /// Sends a buffer's panel out, as far as the tile has its rows: the map (TensorGemmArguments::out) is clipped at its
  /// row 2^30, which is laid on the tile's end.
  __device__ __forceinline__ void send(unsigned buffer, const Tile& tile, int first_row, int column) const {
    ptx::fence_async_proxy();
    sync();
    if (!is_issuer()) return;
    if (const int left = tile.rows - first_row; left > 0) {
      const ptx::Coordinates<3> box{column, (1 << 30) - left, tile.row + tile.rows};
      // moe_sum comes next, and finds the more of it in the L2 the less of that weights have taken.
      if constexpr (G::kSecond)
        ptx::store_box(out_map_, buffer, box, ptx::evict_last_policy());
      else
        ptx::store_box(out_map_, buffer, box);
    }
    ptx::commit_stores();
  }
  /// The buffers take turns: waits until the copy engine has read what this one had. Where no copy engine does, all
  /// warps have: they have been at the barrier of the other buffer since.
  __device__ __forceinline__ unsigned next_buffer() {
    const unsigned buffer = stages_.store_buffer(consumer_, which_);
    which_ ^= 1;
    if constexpr (!kAddsRows) {
      if (is_issuer()) ptx::wait_for_stores_read<1>();
      sync();
    }
    return buffer;
  }
  __device__ __forceinline__ void put(unsigned buffer, const Tile& tile, int first_row, int column,
                                      const Targets& targets) const {
    if constexpr (kAddsRows)
      add(buffer, targets, column);
    else
      send(buffer, tile, first_row, column);
  }

  /// Tokens in rows: the biases of fragment `f`'s two columns in this lane, of gate or plain rows and of up rows.
  struct RowBias {
    float gate[2] = {}, up[2] = {};
  };
  __device__ __forceinline__ RowBias row_bias(const Tile& tile, int f) const {
    RowBias bias;
    const int column = tile.column + f * 8 + lane_ % 4 * 2;
    if (G::kHasBias && column < args_.out_columns) {
      const unsigned short* from = args_.bias + static_cast<long long>(tile.expert) * args_.weight_rows + column;
      ptx::unpack<kType>(*reinterpret_cast<const unsigned*>(from), bias.gate[0], bias.gate[1]);
      if constexpr (G::kGated)
        ptx::unpack<kType>(*reinterpret_cast<const unsigned*>(from + args_.out_columns), bias.up[0], bias.up[1]);
    }
    return bias;
  }
  /// Tokens in rows: the output of row lane / 4 + 8·half in the two columns of fragment `f`.
  static __device__ __forceinline__ unsigned row_pair(const float* d, int f, int half, const RowBias& bias,
                                                      float weight) {
    Pair value, up;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      value.v[i] = plain_value(d[4 * f + 2 * half + i], bias.gate[i], weight);
      if constexpr (G::kGated)
        up.v[i] = plain_value(d[4 * (G::kOutColumns / 8 + f) + 2 * half + i], bias.up[i], weight);
    }
    if constexpr (G::kGated) value = activate<kActivation>(value, up);
    return ptx::pack<kType>(value.v[0], value.v[1]);
  }
  __device__ __forceinline__ void stage_rows(const Tile& tile, const RowWeights<G>& weights, const Accumulators& acc) {
    constexpr int kFragments = kPanelColumns / 8;
    const int row = warp_ * 16 + lane_ % 16;
#pragma unroll
    for (int part = 0; part < kParts; part++) {
      const int first_row = (consumer_ * kParts + part) * 64;
      const Targets to = targets(tile, first_row);
      const float weight[2] = {weights.at(part, lane_ / 4), weights.at(part, 8 + lane_ / 4)};
#pragma unroll
      for (int first = 0; first < G::kOutColumns / 8; first += kFragments) {
        const unsigned buffer = next_buffer();
#pragma unroll
        for (int f = 0; f < kFragments; f += 2) {
          unsigned matrices[4];
#pragma unroll
          for (int i = 0; i < 2; i++) {
            const RowBias bias = row_bias(tile, first + f + i);
#pragma unroll
            for (int half = 0; half < 2; half++)
              matrices[2 * i + half] = row_pair(acc[part], first + f + i, half, bias, weight[half]);
          }
          ptx::store_matrices_x4(buffer + in_panel(row, f + lane_ / 16), matrices);
        }
        put(buffer, tile, first_row, tile.column + first * 8, to);
      }
    }
  }

  /// Swapped: the biases of this lane's rows in a part. Gated: of gate and up; else of the two halves.
  struct ColumnBias {
    float of[2] = {};
  };
  __device__ __forceinline__ ColumnBias column_bias(const Tile& tile, int first_column) const {
    ColumnBias bias;
    const unsigned short* from = args_.bias + static_cast<long long>(tile.expert) * args_.weight_rows;
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int column = first_column + lane_ / 4 + (G::kGated ? 0 : 8 * h);
      if (G::kHasBias && column < args_.out_columns)
        bias.of[h] = ptx::widen<kType>(from[column + (G::kGated && h == 1 ? args_.out_columns : 0)]);
    }
    return bias;
  }
  /// Swapped: the output of half `h`, for tokens 8j + 2·(lane % 4) and the next, in column lane / 4.
  __device__ __forceinline__ unsigned column_pair(const float* d, int j, int h, const RowWeights<G>& weights,
                                                  const ColumnBias& bias) const {
    Pair value, up;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float weight = weights.at(0, 8 * j + 2 * (lane_ % 4) + i);
      value.v[i] = plain_value(d[4 * j + 2 * h + i], bias.of[h], weight);
      if constexpr (G::kGated) up.v[i] = plain_value(d[4 * j + 2 + i], bias.of[1], weight);
    }
    if constexpr (G::kGated) value = activate<kActivation>(value, up);
    return ptx::pack<kType>(value.v[0], value.v[1]);
  }

  /// 8×8 parts are transposed in registers, so that a lane has two neighbouring columns of a token.
  __device__ __forceinline__ void store_columns(const Tile& tile, const RowWeights<G>& weights,
                                                const Accumulators& acc) {
#pragma unroll
    for (int part = 0; part < kParts; part++) {
      const int first_column = tile.column + ((consumer_ * kParts + part) * 4 + warp_) * kWarpColumns;
      const ColumnBias bias = column_bias(tile, first_column);
#pragma unroll
      for (int j = 0; j < kBlockM / 8; j++) {
        if (j * 8 >= tile.rows) break;
        const int row = 8 * j + lane_ / 4;
        unsigned short* to = args_.out + static_cast<long long>(tile.row + row) * args_.out_columns;
        if (kAddsRows && row < tile.rows) to = sum_at(token_of(tile.row + row), 0);
#pragma unroll
        for (int h = 0; h < kHalves; h++) {
          const unsigned packed = ptx::transpose_8x8(column_pair(acc[part], j, h, weights, bias));
          const int column = first_column + 8 * h + 2 * (lane_ % 4);
          if (row >= tile.rows || column >= args_.out_columns) continue;
          if constexpr (kAddsRows)
            ptx::add_pair<kType>(to + column, packed);
          else
            *reinterpret_cast<unsigned*>(to + column) = packed;
        }
      }
    }
  }

  /// A panel at a time: kStoreTokens tokens in the columns of one part or of several.
  __device__ __forceinline__ void stage_columns(const Tile& tile, const RowWeights<G>& weights,
                                                const Accumulators& acc) {
    constexpr int kPartColumns = 4 * kWarpColumns, kPartsOfPanel = kPanelColumns / kPartColumns;
    static_assert(kParts % kPartsOfPanel == 0 && kPanelColumns % kPartColumns == 0);
    const int first_column = tile.column + consumer_ * kParts * kPartColumns;
    ColumnBias bias[kParts];
#pragma unroll
    for (int part = 0; part < kParts; part++)
      bias[part] = column_bias(tile, first_column + part * kPartColumns + warp_ * kWarpColumns);
#pragma unroll
    for (int first = 0; first < kBlockM; first += kStoreTokens) {
      if (first >= tile.rows) break;
      const Targets to = targets(tile, first);
#pragma unroll
      for (int panel = 0; panel < kParts / kPartsOfPanel; panel++) {
        const unsigned buffer = next_buffer();
#pragma unroll
        for (int within = 0; within < kPartsOfPanel; within++)
#pragma unroll
          for (int h = 0; h < kHalves; h++) {
            const int part = panel * kPartsOfPanel + within;
            unsigned matrices[4];
#pragma unroll
            for (int j = 0; j < 4; j++) matrices[j] = column_pair(acc[part], first / 8 + j, h, weights, bias[part]);
            ptx::store_transposed_x4(buffer + in_panel(lane_, (within * 4 + warp_) * kHalves + h), matrices);
          }
        put(buffer, tile, first, first_column + panel * kPanelColumns, to);
      }
    }
  }

  const GemmArguments& args_;
  const TensorMap& out_map_;
  const Stages& stages_;
  int consumer_, warp_, lane_;
  int which_ = 0;     ///< buffer
  int tiles_ = 0;     ///< so far
  int row_tile_ = 0;  ///< of the last one
};

}  // namespace moetune::wgmma
