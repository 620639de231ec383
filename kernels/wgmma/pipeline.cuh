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

  __device__ __forceinline__ explicit Stages(unsigned shared)
      : tokens(shared),
        weights(shared + kStages * kTokenBytes),
        buffers(weights + kStages * kWeightBytes),
        barriers(buffers + kConsumers * store_bytes(kConfig, kEpilogue)) {}

  __device__ __forceinline__ unsigned tokens_of(int stage) const { return tokens + stage * kTokenBytes; }
  __device__ __forceinline__ unsigned weights_of(int stage) const { return weights + stage * kWeightBytes; }
  __device__ __forceinline__ unsigned full(int stage) const { return barriers + stage * 8; }
  __device__ __forceinline__ unsigned empty(int stage) const { return barriers + (kStages + stage) * 8; }

  __device__ __forceinline__ unsigned slot_full(int slot) const { return barriers + (2 * kStages + slot) * 8; }
  __device__ __forceinline__ unsigned slot_empty(int slot) const { return slot_full(slot) + kTileSlots * 8; }
  __device__ __forceinline__ unsigned slot_number(int slot) const { return slot_full(2 * kTileSlots) + slot * 4; }

  /// Store buffer `which` (0, 1) of a consumer.
  __device__ __forceinline__ unsigned store_buffer(int consumer, int which) const {
    constexpr int kBytes = store_bytes(kConfig, kEpilogue);
    return buffers + consumer * kBytes + which * (kBytes / 2);
  }

  /// By one thread, before anybody uses them.
  __device__ __forceinline__ void init() const {
    for (int stage = 0; stage < kStages; stage++) {
      ptx::mbarrier_init(full(stage), 1 + (kGathers ? kWarpgroup : 0));
      ptx::mbarrier_init(empty(stage), kConsumers * kCluster);
    }
    for (int slot = 0; slot < kTileSlots; slot++) {
      ptx::mbarrier_init(slot_full(slot), 1);
      ptx::mbarrier_init(slot_empty(slot), 4 * kConsumers + (kGathers ? 4 : 1));  // warps that read it
    }
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
constexpr TileShape kTileShape{
    .rows = table_block_m(kConfig), .columns = kOutColumns, .even = kSwapped, .token_tiles = kTokenTiles};

/// The tiles of this block, in the same order for all its threads.
class Walk {
 public:
  /// By whole warps. One thread of the block is the leader, which fetches tile numbers for all.
  __device__ __forceinline__ Walk(const GemmArguments& args, const Stages& stages, bool is_leader = false)
      : args_(args),
        stages_(stages),
        is_leader_(is_leader),
        row_tiles_(kTokenTiles ? args.slots : *args.tile_count),
        column_tiles_((args.out_columns + kOutColumns - 1) / kOutColumns) {}

  /// A tile that has been asked for: what memory knows of it may be on its way until it is used. Lane l holds word l %
  /// 4 of its RowTile. A whole one in each lane would be in uniform registers as soon as it can, so that the compiler
  /// waits for memory where nothing needs it yet.
  struct Next {
    int index;
    int word;
  };

  /// Goes on to the next tile; false where there is none left.
  __device__ __forceinline__ bool ask(Next& next) {
    next.index = kDynamic ? next_dynamic() : next_fixed();
    if (next.index >= row_tiles_ * column_tiles_) return false;
    const int row_tile = next.index / column_tiles_;
    next.word =
        kTokenTiles ? args_.topk_ids[row_tile] : reinterpret_cast<const int*>(args_.tiles + row_tile)[threadIdx.x % 4];
    return true;
  }

  __device__ __forceinline__ Tile get(const Next& next) const {
    static_assert(sizeof(RowTile) == 4 * sizeof(int));
    RowTile entry{.expert = __shfl_sync(~0u, next.word, 0), .row = 0, .rows = 0, .first = 0};
    if constexpr (!kTokenTiles) {
      entry.row = __shfl_sync(~0u, next.word, 1);
      entry.rows = __shfl_sync(~0u, next.word, 2);
      entry.first = __shfl_sync(~0u, next.word, 3);
    }
    Tile tile = tile_at<kTileShape>(args_, entry, next.index, column_tiles_);
    if constexpr (kCluster > 1) {
      const int share = kTileShape.even ? ((tile.rows + kCluster - 1) / kCluster + 7) / 8 * 8 : kBlockM;
      const int skipped = static_cast<int>(ptx::cluster_rank()) * share;
      tile.row += skipped;
      tile.rows = max(0, min(tile.rows - skipped, share));
    }
    return tile;
  }

 private:
  /// The first tile is the block's own number. A leader asks for the one after next, whose number then has a tile's
  /// time to come.
  __device__ __forceinline__ int next_dynamic() {
    const int slot = count_ % kTileSlots, parity = count_ / kTileSlots & 1;
    int index = 0;
    if (is_leader_) {
      index = count_ == 0 ? blockIdx.x : gridDim.x + asked_;
      ptx::mbarrier_wait(stages_.slot_empty(slot), parity ^ 1);
      ptx::store_shared(stages_.slot_number(slot), index);
      ptx::mbarrier_arrive(stages_.slot_full(slot));
      if (index < row_tiles_ * column_tiles_)
        asked_ = ptx::fetch_add(args_.progress, 1);
      else
        finish();
    }
    count_++;
    ptx::mbarrier_wait(stages_.slot_full(slot), parity);
    index = ptx::load_shared(stages_.slot_number(slot));
    __syncwarp();
    if (threadIdx.x % 32 == 0) ptx::mbarrier_arrive(stages_.slot_empty(slot));
    return index;
  }

  /// The last block sets the counters back. No number is on its way any more: this block has used all that it asked
  /// for.
  __device__ __forceinline__ void finish() {
    if (ptx::fetch_add(args_.progress + 1, 1) == static_cast<int>(gridDim.x) - 1)
      args_.progress[0] = args_.progress[1] = 0;
  }

  /// One wave of all blocks after the other. Within a wave the blocks' tiles move on by a prime from wave to wave: with
  /// the same places, blocks would meet an expert's cheap last tiles again and again where a wave is a multiple of an
  /// expert's tiles.
  __device__ __forceinline__ int next_fixed() {
    constexpr int kStep = 37;
    const int blocks = gridDim.x / kCluster, block = blockIdx.x / kCluster, tiles = row_tiles_ * column_tiles_;
    for (; count_ * blocks < tiles; count_++) {
      const int index = count_ * blocks + (block + count_ * kStep) % blocks;
      if (index >= tiles) continue;
      count_++;
      return index;
    }
    return tiles;
  }

  const GemmArguments& args_;
  const Stages& stages_;
  bool is_leader_;
  int row_tiles_, column_tiles_;
  int count_ = 0;  ///< of tiles so far; fixed order: of waves
  int asked_ = 0;
};

}  // namespace moetune::wgmma
