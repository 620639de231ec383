// Fills the stages: weights as boxes of w [E, rows, K], tokens as boxes of what lies in expert order or gathered row by
// row. Gathering costs 7 % of a compute-bound GEMM (H200, 16384 tokens, mixtral-8x7b: 11.10 against 11.94 ms, without
// the consumers' fence too); one-row boxes take three times as long as either.
#pragma once

#include "kernels/lib/early_tile.cuh"
#include "kernels/ptx/barrier.cuh"
#include "kernels/ptx/cache_policy.cuh"
#include "kernels/ptx/grid_dependency.cuh"
#include "kernels/ptx/tensor_copy.cuh"
#include "kernels/ptx/warpgroup.cuh"
#include "kernels/wgmma/pipeline.cuh"

namespace moetune::wgmma {

/// Where the box of this block begins; the blocks of a cluster copy a share of the tile's weight rows each.
template <class G>
__device__ __forceinline__ auto weight_box(const Tile& tile, int k, unsigned rank) {
  const int share = static_cast<int>(rank) * (G::kOutColumns / kCluster);
  if constexpr (!G::kGated)
    return ptx::Coordinates<3>{k, tile.column + share, tile.expert};
  else if constexpr (kInterleaved)
    return ptx::Coordinates<5>{k, 0, 0, (tile.column + share) / 8, tile.expert};
  else  // one half each
    return ptx::Coordinates<4>{k, tile.column, static_cast<int>(rank), tile.expert};
}

template <class G>
__device__ __forceinline__ void copy_weights(const TensorMap& map, const Stages& stages, int stage, const Tile& tile,
                                             int k, unsigned rank) {
#pragma unroll
  for (int panel = 0; panel < kPanels; panel++) {
    const unsigned to = stages.weights_of(stage) + (panel * kBlockN + rank * (kBlockN / kCluster)) * kPanelRowBytes;
    const auto box = weight_box<G>(tile, k + panel * kPanel, rank);
    if constexpr (kCluster > 1)
      ptx::multicast_box(to, map, stages.full(stage), box, (1 << kCluster) - 1);
    else if constexpr (kConfig.evict_first)
      ptx::copy_box(to, map, stages.full(stage), box, ptx::evict_first_policy());
    else
      ptx::copy_box(to, map, stages.full(stage), box);
  }
}

constexpr int kTokenBoxRows = token_box_rows(kConfig), kTokenBoxBytes = kTokenBoxRows * kBlockK * kElementBytes;
static_assert(kBlockM % kTokenBoxRows == 0);
/// Of all panels together.
__device__ __forceinline__ int token_boxes(const Tile& tile) {
  return (tile.rows + kTokenBoxRows - 1) / kTokenBoxRows;
}

/// A warp: boxes of weights and of tokens.
template <class G>
__device__ __forceinline__ void produce_boxes(const GemmArguments& args, const TensorMap& weight_map,
                                              const TensorMap& token_map, const Stages& stages) {
  const unsigned rank = kCluster > 1 ? ptx::cluster_rank() : 0;
  const bool copies = threadIdx.x == 0;
  const auto begin_stage = [&](int stage, const Tile& tile, int k) {
    if (!copies) return;
    ptx::mbarrier_arrive_expect(stages.full(stage), token_boxes(tile) * kTokenBoxBytes + kWeightBytes);
    copy_weights<G>(weight_map, stages, stage, tile, k, rank);
  };
  const auto copy_tokens = [&](int stage, const Tile& tile, int k) {
    if (!copies) return;
#pragma unroll
    for (int panel = 0; panel < kPanels; panel++)
      for (int first = 0; first < tile.rows; first += kTokenBoxRows)
        ptx::copy_box(stages.tokens_of(stage) + (panel * kBlockM + first) * kPanelRowBytes, token_map,
                      stages.full(stage), ptx::Coordinates<2>{k + panel * kPanel, tile.row + first});
  };
  Walk<G> walk(args, stages, copies);
  Cursor cursor;
  typename Walk<G>::Next next;
  bool more = walk.ask(next);
  Work work;
  if (more) work = walk.get(next);
  // The kernel before this one has waited for the routing before it let this one start, so the tables are there and
  // weights may be copied: only the tokens have to be waited for.
  const int early = more ? min(kStages, work.k_tiles()) : 0;
  for (int i = 0; i < early; i++) begin_stage(i, work.tile, (work.first_k_tile + i) * kBlockK);
  ptx::grid_dependency_wait();
  for (int i = 0; i < early; i++) {
    copy_tokens(cursor.stage, work.tile, (work.first_k_tile + i) * kBlockK);
    cursor.advance();
  }
  int done = early;
  while (more) {
    more = walk.ask(next);
    for (int k_tile = work.first_k_tile + done; k_tile < work.end_k_tile; k_tile++) {
      ptx::mbarrier_wait(stages.empty(cursor.stage), cursor.parity ^ 1);
      begin_stage(cursor.stage, work.tile, k_tile * kBlockK);
      copy_tokens(cursor.stage, work.tile, k_tile * kBlockK);
      cursor.advance();
    }
    if (more) work = walk.get(next);
    done = 0;
  }
}

/// First GEMM, a warpgroup: one thread copies boxes of weights, and each gathers one 16-byte piece of every
/// kRowsPerPass-th token.
template <class G>
class GatheringProducer {
 public:
  __device__ __forceinline__ GatheringProducer(const GemmArguments& args, const TensorMap& weight_map,
                                               const Stages& stages, Cursor& cursor)
      : args_(args), weight_map_(weight_map), stages_(stages), cursor_(cursor) {}

  __device__ __forceinline__ void run(int first_block = 0) {
    int early = 0;
    if constexpr (G::kStartsEarly) {
      early = copy_before_grouping();
      ptx::grid_dependency_wait();
    }
    Walk<G> walk(args_, stages_, threadIdx.x == 0, first_block);
    // The next tile's entry and its slots are two dependent loads: each is on its way during half of this tile's
    // copies.
    typename Walk<G>::Next next;
    bool more = walk.ask(next);
    Work work;
    Slots slots;
    if (more) {
      work = walk.get(next);
      load_slots(work.tile, slots);
    }
    while (more) {
      more = walk.ask(next);
      const Tokens tokens = tokens_of(slots);
      if constexpr (G::kTakesOver) early = copy_before_handed_over(work);
      for (int i = 0; i < early; i++) gather(tokens, (work.first_k_tile + i) * kBlockK);
      const int begin = work.first_k_tile + early;
      early = 0;
      const int half = begin + (work.end_k_tile - begin) / 2;
      copy(work.tile, tokens, begin, half);
      Work upcoming;
      if (more) {
        upcoming = walk.get(next);
        load_slots(upcoming.tile, slots);
      }
      copy(work.tile, tokens, half, work.end_k_tile);
      work = upcoming;
    }
  }

 private:
  static constexpr int kChunks = kPanelRowBytes / 16, kRowsPerPass = kWarpgroup / kChunks;
  static constexpr int kPasses = (kBlockM + kRowsPerPass - 1) / kRowsPerPass;
  static_assert(kRowsPerPass % 8 == 0, "a pass must not change the swizzle's key");

  static constexpr int kBatch = 8;

  /// Where this thread's piece of each pass begins in A, in units of 16 bytes.
  struct Tokens {
    unsigned of_pass[kPasses];
    unsigned real;  ///< bit i: there is something to copy in pass i
  };

  /// Of this thread's rows; -1: no such row.
  struct Slots {
    int of_pass[kPasses];
  };
  /// Swapped, tokens are activated in pairs and the last bit of one depends on the other: so that every run gives the
  /// same bits, a last one without a partner is its own.
  __device__ __forceinline__ void load_slots(const Tile& tile, Slots& slots) const {
    const int rows = kSwapped ? (tile.rows + 1) / 2 * 2 : tile.rows;
#pragma unroll
    for (int i = 0; i < kPasses; i++) {
      const int row = threadIdx.x / kChunks + i * kRowsPerPass;
      const int from = tile.row + (kSwapped ? min(row, tile.rows - 1) : row);
      slots.of_pass[i] = row >= rows ? -1 : G::kSecond ? from : slot_of<kTokenTiles>(args_, from);
    }
  }

  __device__ __forceinline__ Tokens tokens_of(const Slots& slots) const {
    Tokens tokens;
    tokens.real = 0;
#pragma unroll
    for (int i = 0; i < kPasses; i++) {
      const unsigned slot = static_cast<unsigned>(max(slots.of_pass[i], 0));
      const unsigned token = G::kSecond ? slot : slot / static_cast<unsigned>(args_.topk);
      tokens.of_pass[i] = token * (static_cast<unsigned>(args_.a_pitch) / 8) + threadIdx.x % kChunks;
      tokens.real |= (slots.of_pass[i] >= 0 ? 1u : 0u) << i;
    }
    return tokens;
  }

  __device__ __forceinline__ void copy(const Tile& tile, const Tokens& tokens, int first_k_tile, int end_k_tile) {
    for (int k_tile = first_k_tile; k_tile < end_k_tile; k_tile++) {
      begin_stage(cursor_, tile, k_tile * kBlockK);
      gather(tokens, k_tile * kBlockK);
    }
  }

  /// The first weights of a tile, as many as there are stages for. Returns how many k tiles' that is.
  __device__ __forceinline__ int copy_first_weights(const Work& work) const {
    const int early = min(kStages, work.k_tiles());
    Cursor ahead = cursor_;
    for (int i = 0; i < early; i++) {
      begin_stage(ahead, work.tile, (work.first_k_tile + i) * kBlockK);
      ahead.advance();
    }
    return early;
  }

  /// Those of the block's first tile. Slots are counted where the tokens come later.
  __device__ __forceinline__ int copy_before_grouping() const {
    if (args_.early_blocks == 0 || args_.map.experts * 4 > kStages * kTokenBytes) return 0;
    const int item = blockIdx.x / kCluster, column_tiles = column_tiles_of<G>(args_);
    const auto sync = [] { ptx::barrier_sync(1, kWarpgroup); };
    const RowTile entry = count_entry<kTileShape<G>, kWarpgroup>(
        args_, item / kSplit / column_tiles, reinterpret_cast<int*>(__cvta_shared_to_generic(stages_.tokens)), sync);
    sync();
    if (entry.rows == 0) return 0;
    return copy_first_weights(work_at<G>(args_, entry, item, column_tiles, k_tiles_of(args_)));
  }

  /// Second of two GEMMs: where the tile's tokens are not there yet, its first weights are copied before they are
  /// waited for. Returns how many k tiles' that were.
  __device__ __forceinline__ int copy_before_handed_over(const Work& work) const {
    if (kTokenTiles && work.k_tiles() == 0) return 0;
    if (is_handed_over(work.tile)) return 0;
    const int early = copy_first_weights(work);
    while (!is_handed_over(work.tile)) __nanosleep(50);
    return early;
  }
  /// One thread asks for all: hundreds of blocks ask for the same word.
  __device__ __forceinline__ bool is_handed_over(const Tile& tile) const {
    const bool done = threadIdx.x == 0 && ptx::load_acquire(args_.rows_done + tile.row_tile) == args_.rows_expected;
    return ptx::barrier_any(1, kWarpgroup, done);
  }

  __device__ __forceinline__ void begin_stage(const Cursor& cursor, const Tile& tile, int k) const {
    ptx::mbarrier_wait(stages_.empty(cursor.stage), cursor.parity ^ 1);
    if (threadIdx.x != 0) return;
    ptx::mbarrier_arrive_expect(stages_.full(cursor.stage), kWeightBytes);
    copy_weights<G>(weight_map_, stages_, cursor.stage, tile, k, kCluster > 1 ? ptx::cluster_rank() : 0);
  }

  static __device__ __forceinline__ bool is_real(const Tokens& tokens, int pass) {
    return tokens.real >> pass & 1;
  }

  /// Places of rows that do not exist are filled with zeros, which cost the tensor cores less power than what was
  /// there; swapped they are left alone, for what they hold comes out in columns that nobody multiplies or stores. A
  /// copy keeps its address registers until the memory system has taken it, 100 cycles under load. So the addresses of
  /// a batch are made first, each in registers of its own: with one pair for all, copying took longer than multiplying.
  __device__ __forceinline__ void gather(const Tokens& tokens, int k) {
    const int chunk = threadIdx.x % kChunks, first_row = threadIdx.x / kChunks;
    const unsigned within = first_row * kPanelRowBytes + ((chunk ^ (first_row & 7)) << 4);
#pragma unroll
    for (int panel = 0; panel < kPanels; panel++) {
      const int column = k + panel * kPanel;
      const char* base = reinterpret_cast<const char*>(args_.a + column);
      const bool inside = column + chunk * 8 < args_.K;
      const unsigned to = stages_.tokens_of(cursor_.stage) + panel * (kBlockM * kPanelRowBytes) + within;
#pragma unroll
      for (int first = 0; first < kPasses; first += kBatch) {
        const char* from[kBatch];
#pragma unroll
        for (int i = 0; i < kBatch; i++)
          from[i] = base + static_cast<unsigned long long>(tokens.of_pass[min(first + i, kPasses - 1)]) * 16;
#pragma unroll
        for (int i = first; i < min(first + kBatch, kPasses); i++)
          if (kSwapped ? is_real(tokens, i) : kBlockM % kRowsPerPass == 0 || first_row + i * kRowsPerPass < kBlockM)
            ptx::cp_async_16(to + i * kRowsPerPass * kPanelRowBytes, from[i - first],
                             inside && (kSwapped || is_real(tokens, i)) ? 16 : 0);
      }
    }
    ptx::mbarrier_arrive_after_cp_async(stages_.full(cursor_.stage));
    cursor_.advance();
  }

  const GemmArguments& args_;
  const TensorMap& weight_map_;
  const Stages& stages_;
  Cursor& cursor_;
};

}  // namespace moetune::wgmma
