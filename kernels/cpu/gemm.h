// The grouped GEMM of the CPU engine, one tile at a time, and the pieces around it. Vectorised for the host's best
// instruction set, chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lib/expert_map.h"
#include "kernels/lib/types.h"

namespace moetune::cpu {

/// The tunables of a tile.
struct TileShape {
  int block_m = 0;      ///< rows (tokens of one expert) that share a packed panel of weights
  int block_n = 0;      ///< accumulator columns; the gated epilogue writes half as many, the other half is the gate
  int block_k = 0;      ///< depth of a packed panel
  int stream_rows = 0;  ///< tiles of at most this many rows stream the weights through registers, unpacked
};

/// x·wᵀ for each expert's rows, with an epilogue (kernels/lib/types.h). 16-bit floats in and out, fp32 in between.
struct GroupedGemm {
  DType dtype = DType::bf16;
  Epilogue epilogue = Epilogue::plain;
  Activation activation = Activation::silu;
  bool weight_on_input = false;
  std::int64_t K = 0;  ///< columns of x and w, a multiple of 8
  std::int64_t N = 0;  ///< rows of w per expert; gated: gate rows, then up rows
  std::int64_t topk = 1;
  const std::uint16_t* x = nullptr;            ///< plain, gated: [M, K], by token; final: [slots, K], in expert order
  std::int64_t x_pitch = 0;                    ///< elements from one row of x to the next
  const std::uint16_t* w = nullptr;            ///< [E, N, K]
  const std::uint16_t* bias = nullptr;         ///< [E, N], or null
  const std::int32_t* sorted_slots = nullptr;  ///< [slots]: slots grouped by expert
  const float* routing_weights = nullptr;      ///< [slots], by slot
  std::uint16_t* out =
      nullptr;  ///< plain [slots, N], gated [slots, N/2], both in expert order; final [slots, N], by slot

  /// Columns of the output.
  std::int64_t width() const { return epilogue == Epilogue::gated ? N / 2 : N; }
};

/// A piece of the output: up to block_m rows of one expert times up to block_n columns (gated: block_n / 2).
struct Tile {
  std::int64_t expert = 0;
  std::int64_t row_begin = 0;  ///< position in sorted_slots
  std::int64_t rows = 0;
  std::int64_t column_begin = 0;
  std::int64_t columns = 0;  ///< a multiple of 8
};

/// Output columns of a full tile.
constexpr std::int64_t tile_columns(const TileShape& shape, Epilogue epilogue) {
  return epilogue == Epilogue::gated ? shape.block_n / 2 : shape.block_n;
}

/// Floats of scratch memory, aligned to 64 bytes, that gemm_tile needs for a GEMM of depth K.
std::size_t scratch_floats(const TileShape& shape, std::int64_t K);

/// Computes one tile. The result depends on the shape and the tile alone, never on who computes it.
void gemm_tile(const GroupedGemm& gemm, const TileShape& shape, const Tile& tile, float* scratch);

/// The activation stage of the three-kernel path: rows [begin, end) of cache1 [slots, 2·inner] to cache2 [slots,
/// inner].
void activate_rows(DType dtype, Activation activation, std::int64_t begin, std::int64_t end, std::int64_t inner,
                   const std::uint16_t* cache1, std::uint16_t* cache2);

/// moe_sum: out[m, n] = Σ cache3[m, t, n], t ascending, for tokens [begin, end) and columns [column_begin, column_end).
/// Both column bounds are multiples of 8; rows of `out` are `out_pitch` elements apart. Choices whose expert is not here
/// (`topk_ids` [M, topk]) are left out: their rows of cache3 are not read.
void combine_rows(DType dtype, std::int64_t begin, std::int64_t end, std::int64_t column_begin, std::int64_t column_end,
                  std::int64_t topk, std::int64_t N2, const std::int32_t* topk_ids, const ExpertMap& map,
                  const std::uint16_t* cache3, std::uint16_t* out, std::int64_t out_pitch);

/// Rounds `count` floats (a multiple of 8) to nearest even.
void narrow_floats(DType dtype, const float* from, std::int64_t count, std::uint16_t* to);

/// Runs the packed micro-kernel `repeats` times on operands that stay in the first-level cache, and returns the
/// floating-point operations done. `scratch` holds peak_scratch_floats() floats, aligned to 64 bytes.
std::int64_t run_peak(int repeats, float* scratch);
std::size_t peak_scratch_floats();

/// Reads every cache line of [data, data + bytes); the returned value depends on all of them.
std::uint64_t stream_read(const void* data, std::size_t bytes);

}  // namespace moetune::cpu
