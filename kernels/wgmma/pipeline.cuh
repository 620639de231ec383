// The ring of stages between producers and consumers, and the order of tiles that both walk.
#pragma once

#include "kernels/lib/row_tiles.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/cluster.cuh"
#include "kernels/ptx/cp_async.cuh"
#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/shared_memory.cuh"
#include "kernels/wgmma/settings.cuh"

namespace moetune::wgmma {

/// Shared memory: token panels of all stages, weight panels of all stages, store buffers, barriers, tile slots. Panels
/// are aligned to 1024 bytes.
struct Stages {
  unsigned tokens, weights, buffers, barriers;
  int store_bytes;  ///< of a consumer

  __device__ __forceinline__ Stages(unsigned shared, int store_bytes_of_consumer)
      : tokens(shared),
        weights(shared + kStages * kTokenBytes),
        buffers(weights + kStages * kWeightBytes),
        barriers(buffers + kConsumers * store_bytes_of_consumer),
        store_bytes(store_bytes_of_consumer) {}

  __device__ __forceinline__ unsigned tokens_of(int stage) const { return tokens + stage * kTokenBytes; }
  __device__ __forceinline__ unsigned weights_of(int stage) const { return weights + stage * kWeightBytes; }
  __device__ __forceinline__ unsigned full(int stage) const { return barriers + stage * 8; }
  __device__ __forceinline__ unsigned empty(int stage) const { return barriers + (kStages + stage) * 8; }

  __device__ __forceinline__ unsigned slot_full(int slot) const { return barriers + (2 * kStages + slot) * 8; }
  __device__ __forceinline__ unsigned slot_empty(int slot) const { return slot_full(slot) + kTileSlots * 8; }
  __device__ __forceinline__ unsigned slot_number(int slot) const { return slot_full(2 * kTileSlots) + slot * 4; }

  /// Tiles that a consumer has stored.
  __device__ __forceinline__ unsigned stored(int consumer) const { return slot_number(kTileSlots) + consumer * 4; }

  /// Store buffer `which` (0, 1) of a consumer.
  __device__ __forceinline__ unsigned store_buffer(int consumer, int which) const {
    return buffers + consumer * store_bytes + which * (store_bytes / 2);
  }

  /// By one thread, before anybody uses them.
  __device__ __forceinline__ void init(bool gathers) const {
    for (int stage = 0; stage < kStages; stage++) {
      ptx::mbarrier_init(full(stage), 1 + (gathers ? kWarpgroup : 0));
      ptx::mbarrier_init(empty(stage), kConsumers * kCluster);
    }
    for (int slot = 0; slot < kTileSlots; slot++) {
      ptx::mbarrier_init(slot_full(slot), 1);
      const int readers = 4 * kConsumers + (gathers ? 4 : 1) + kCombiners;  // warps
      ptx::mbarrier_init(slot_empty(slot), readers * kCluster);             // all at the first block's
    }
    for (int consumer = 0; consumer < kConsumers; consumer++) ptx::store_shared(stored(consumer), 0);
    ptx::mbarrier_init_fence();
  }
};

/// Where one role stands in the ring.
struct Cursor {
  int stage = 0;
  unsigned parity = 0;

  __device__ __forceinline__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

/// Swapped, an instruction is as wide as a tile has tokens: tiles of even height waste least.
template <class G>
constexpr TileShape kTileShape{
    .rows = table_block_m(kConfig), .columns = G::kOutColumns, .even = kSwapped, .token_tiles = kTokenTiles};

/// What a block does in one go: a tile, or with SPLIT_K a part of its sum over K. No k tiles: nothing, the tile's
/// expert is not here.
struct Work {
  Tile tile;
  int index;  ///< of the tile among all
  int part;
  int first_k_tile, end_k_tile;

  __device__ __forceinline__ int k_tiles() const { return end_k_tile - first_k_tile; }
};

__device__ __forceinline__ int row_tiles_of(const GemmArguments& args) {
  return kTokenTiles ? args.slots : *args.tile_count;
}
template <class G>
__device__ __forceinline__ int column_tiles_of(const GemmArguments& args) {
  return (args.out_columns + G::kOutColumns - 1) / G::kOutColumns;
}

/// Item `item`, of whose row tile this is known.
template <class G>
__device__ __forceinline__ Work work_at(const GemmArguments& args, const RowTile& entry, int item, int column_tiles,
                                        int k_tiles) {
  Work work{.tile = {}, .index = item / kSplit, .part = item % kSplit};
  work.first_k_tile = k_tiles * work.part / kSplit;
  work.end_k_tile = k_tiles * (work.part + 1) / kSplit;
  Tile& tile = work.tile;
  tile = tile_at<kTileShape<G>>(args, entry, work.index, column_tiles);
  if (kTokenTiles && tile.expert < 0) work.first_k_tile = work.end_k_tile = 0;
  if constexpr (kCluster > 1) {
    const int share = kTileShape<G>.even ? ((tile.rows + kCluster - 1) / kCluster + 7) / 8 * 8 : kBlockM;
    const int skipped = static_cast<int>(ptx::cluster_rank()) * share;
    tile.row += skipped;
    tile.rows = max(0, min(tile.rows - skipped, share));
  }
  return work;
}
__device__ __forceinline__ int k_tiles_of(const GemmArguments& args) {
  return (args.K + kBlockK - 1) / kBlockK;
}

/// The work of this block, in the same order for all its threads.
template <class G>
class Walk {
 public:
  /// By whole warps. One thread of the block takes charge of the tile numbers that come; that of a cluster's first
  /// block fetches them for all.
  __device__ __forceinline__ Walk(const GemmArguments& args, const Stages& stages, bool is_leader = false,
                                  int first_block = 0)
      : args_(args),
        stages_(stages),
        is_leader_(is_leader),
        block_(blockIdx.x / kCluster + first_block),
        column_tiles_(column_tiles_of<G>(args)),
        items_(row_tiles_of(args) * column_tiles_ * kSplit),
        k_tiles_(k_tiles_of(args)) {
    if (const int blocks = gridDim.x / kCluster; block_ >= blocks) block_ -= blocks;
  }

  /// How far block numbers have to be shifted so that the blocks which the last wave of `items` leaves idle come first.
  static __device__ __forceinline__ int idle_first(int items) {
    const int blocks = gridDim.x / kCluster;
    return (items / blocks * kStep + blocks - items % blocks) % blocks;
  }

  /// Work that has been asked for: what memory knows of its tile may be on its way until it is used. Lane l holds word
  /// l % 4 of its RowTile. A whole one in each lane would be in uniform registers as soon as it can, so that the
  /// compiler waits for memory where nothing needs it yet.
  struct Next {
    int item;  ///< the parts of a tile follow each other
    int word;
  };

  /// Goes on to the next item; false where there is none left.
  __device__ __forceinline__ bool ask(Next& next) {
    next.item = kDynamic ? next_dynamic() : next_fixed();
    // Asked for before it is known whether it exists: a kernel's first entry and their count arrive together.
    const int row_tile = min(next.item / kSplit / column_tiles_, args_.tile_bound - 1);
    next.word =
        kTokenTiles ? args_.topk_ids[row_tile] : reinterpret_cast<const int*>(args_.tiles + row_tile)[threadIdx.x % 4];
    return next.item < items_;
  }

  __device__ __forceinline__ Work get(const Next& next) const {
    static_assert(sizeof(RowTile) == 4 * sizeof(int));
    RowTile entry{.expert = __shfl_sync(~0u, next.word, 0), .row = 0, .rows = 0, .first = 0};
    if constexpr (kTokenTiles) {
      entry.expert = chosen_expert(args_.map, entry.expert);
    } else {
      entry.row = __shfl_sync(~0u, next.word, 1);
      entry.rows = __shfl_sync(~0u, next.word, 2);
      entry.first = __shfl_sync(~0u, next.word, 3);
    }
    return work_at<G>(args_, entry, next.item, column_tiles_, k_tiles_);
  }

 private:
  /// The first item is the block's own number. A leader asks for the one after next, whose number then has an item's
  /// time to come.
  __device__ __forceinline__ int next_dynamic() {
    const int slot = count_ % kTileSlots, parity = count_ / kTileSlots & 1;
    if (is_leader_) {
      if constexpr (kCluster > 1) ptx::mbarrier_arrive_expect(stages_.slot_full(slot), sizeof(int));
      if (kCluster == 1 || ptx::cluster_rank() == 0) hand_out(slot, parity);
    }
    count_++;
    ptx::mbarrier_wait(stages_.slot_full(slot), parity);
    const int item = ptx::load_shared(stages_.slot_number(slot));
    __syncwarp();
    if (threadIdx.x % 32 == 0) {
      if constexpr (kCluster > 1)
        ptx::mbarrier_arrive_remote_after(stages_.slot_empty(slot), 0, item);
      else
        ptx::mbarrier_arrive(stages_.slot_empty(slot));
    }
    return item;
  }

  __device__ __forceinline__ void hand_out(int slot, int parity) {
    const int item = count_ == 0 ? blockIdx.x / kCluster : gridDim.x / kCluster + asked_;
    ptx::mbarrier_wait(stages_.slot_empty(slot), parity ^ 1);
    if constexpr (kCluster > 1) {
      for (int rank = 0; rank < kCluster; rank++)
        ptx::store_remote(stages_.slot_number(slot), item, stages_.slot_full(slot), rank);
    } else {
      ptx::store_shared(stages_.slot_number(slot), item);
      ptx::mbarrier_arrive(stages_.slot_full(slot));
    }
    if (item < items_)
      asked_ = ptx::fetch_add(args_.progress, 1);
    else
      finish();
  }

  /// The last one sets the counters back. No number is on its way any more: this leader has used all that it asked for.
  __device__ __forceinline__ void finish() {
    if (ptx::fetch_add(args_.progress + 1, 1) == static_cast<int>(gridDim.x) / kCluster - 1)
      args_.progress[0] = args_.progress[1] = 0;
  }

  /// One wave of all blocks after the other. Within a wave the blocks' items move on by a prime from wave to wave: with
  /// the same places, blocks would meet an expert's cheap last tiles again and again where a wave is a multiple of an
  /// expert's tiles.
  __device__ __forceinline__ int next_fixed() {
    const int blocks = gridDim.x / kCluster;
    for (; count_ * blocks < items_; count_++) {
      const int index = count_ * blocks + (block_ + count_ * kStep) % blocks;
      if (index >= items_) continue;
      count_++;
      return index;
    }
    return items_;
  }

  static constexpr int kStep = 37;

  const GemmArguments& args_;
  const Stages& stages_;
  bool is_leader_;
  int block_, column_tiles_, items_, k_tiles_;
  int count_ = 0;  ///< of items so far; fixed order: of waves
  int asked_ = 0;
};

}  // namespace moetune::wgmma
