#include "kernels/cpu/gemm.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/cpu/dispatch.h"

#include "kernels/cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "kernels/cpu/activation-inl.h"
#include "kernels/cpu/float16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moetune::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using V = hn::Vec<DF>;
constexpr std::size_t kLanes = HWY_MAX_BYTES / sizeof(float);

// The packed micro-kernel holds kRows × 2 vectors of accumulators: 24 of AVX-512's and NEON's 32 registers, 12 of 16
// elsewhere. The streaming one holds kStreamRows × 4.
constexpr bool kManyRegisters = HWY_MAX_BYTES == 64 || HWY_ARCH_ARM_A64;
constexpr std::size_t kRows = kManyRegisters ? 12 : 6;
constexpr std::size_t kColumns = 2 * kLanes;
constexpr std::size_t kStreamRows = kManyRegisters ? 6 : 3;
constexpr std::size_t kStreamColumns = 4;
// Rows of a packed panel of x: whole groups of kLanes.
constexpr std::size_t kPanelRows = (kRows + kLanes - 1) / kLanes * kLanes;

/// 128 bits from each of kLanes / 4 rows, four rows apart: block b holds rows[4·b].
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const std::uint16_t* const* rows, std::size_t k) {
  if constexpr (hn::MaxLanes(d) == 4) {
    const hn::Repartition<std::uint16_t, D> d16;
    return hn::BitCast(d, hn::LoadU(d16, rows[0] + k));
  } else {
    const hn::Half<D> dh;
    return hn::Combine(d, load_blocks(dh, rows + hn::MaxLanes(d) / 2, k), load_blocks(dh, rows, k));
  }
}

/// Packs `depth` columns (a multiple of 8) of kLanes rows as fp32, transposed: out[k · stride + row].
template <DType kDType>
HWY_INLINE void pack_group(const std::uint16_t* const* rows, std::size_t depth, std::size_t stride,
                           float* HWY_RESTRICT out) {
  const DF df;
  const hn::RebindToUnsigned<DF> du;
  const hn::Repartition<std::uint64_t, DF> du64;
  for (std::size_t k = 0; k < depth; k += 8) {
    // Each 32-bit lane is a pair of neighbours in k; a 4×4 transposition within every 128-bit block brings the same
    // pair of all rows together, in row order.
    const auto r0 = load_blocks(du, rows + 0, k);
    const auto r1 = load_blocks(du, rows + 1, k);
    const auto r2 = load_blocks(du, rows + 2, k);
    const auto r3 = load_blocks(du, rows + 3, k);
    const auto low01 = hn::BitCast(du64, hn::InterleaveLower(du, r0, r1));
    const auto low23 = hn::BitCast(du64, hn::InterleaveLower(du, r2, r3));
    const auto high01 = hn::BitCast(du64, hn::InterleaveUpper(du, r0, r1));
    const auto high23 = hn::BitCast(du64, hn::InterleaveUpper(du, r2, r3));
    const auto pairs0 = hn::BitCast(du, hn::InterleaveLower(du64, low01, low23));
    const auto pairs1 = hn::BitCast(du, hn::InterleaveUpper(du64, low01, low23));
    const auto pairs2 = hn::BitCast(du, hn::InterleaveLower(du64, high01, high23));
    const auto pairs3 = hn::BitCast(du, hn::InterleaveUpper(du64, high01, high23));
    float* to = out + k * stride;
    hn::Store(widen_even<kDType>(df, pairs0), df, to + 0 * stride);
    hn::Store(widen_odd<kDType>(df, pairs0), df, to + 1 * stride);
    hn::Store(widen_even<kDType>(df, pairs1), df, to + 2 * stride);
    hn::Store(widen_odd<kDType>(df, pairs1), df, to + 3 * stride);
    hn::Store(widen_even<kDType>(df, pairs2), df, to + 4 * stride);
    hn::Store(widen_odd<kDType>(df, pairs2), df, to + 5 * stride);
    hn::Store(widen_even<kDType>(df, pairs3), df, to + 6 * stride);
    hn::Store(widen_odd<kDType>(df, pairs3), df, to + 7 * stride);
  }
}

/// acc[r, 0…kColumns) += Σ_k x[k, r] · w[k, …] for kCount rows. x is [depth, kPanelRows], w is [depth, kColumns].
template <std::size_t kCount>
HWY_INLINE void multiply_panel(std::size_t depth, const float* HWY_RESTRICT x, const float* HWY_RESTRICT w, bool first,
                               std::size_t acc_stride, float* HWY_RESTRICT acc) {
  const DF df;
  V sum[kCount][2];
  if (first) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kCount; ++r) sum[r][0] = sum[r][1] = hn::Zero(df);
  } else {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kCount; ++r) {
      sum[r][0] = hn::Load(df, acc + r * acc_stride);
      sum[r][1] = hn::Load(df, acc + r * acc_stride + kLanes);
    }
  }
  for (std::size_t k = 0; k < depth; ++k) {
    const V w0 = hn::Load(df, w + k * kColumns);
    const V w1 = hn::Load(df, w + k * kColumns + kLanes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kCount; ++r) {
      const V each = hn::Set(df, x[k * kPanelRows + r]);
      sum[r][0] = hn::MulAdd(each, w0, sum[r][0]);
      sum[r][1] = hn::MulAdd(each, w1, sum[r][1]);
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kCount; ++r) {
    hn::Store(sum[r][0], df, acc + r * acc_stride);
    hn::Store(sum[r][1], df, acc + r * acc_stride + kLanes);
  }
}

using MultiplyPanel = void (*)(std::size_t, const float*, const float*, bool, std::size_t, float*);
template <std::size_t kCount>
void multiply_panel_of(std::size_t depth, const float* x, const float* w, bool first, std::size_t acc_stride,
                       float* acc) {
  multiply_panel<kCount>(depth, x, w, first, acc_stride, acc);
}
template <std::size_t... kIndex>
MultiplyPanel find_multiply_panel(std::size_t rows, std::index_sequence<kIndex...>) {
  constexpr MultiplyPanel kTable[] = {multiply_panel_of<kIndex + 1>...};
  return kTable[rows - 1];
}

/// acc[r, c] = x[r, :] · w[c, :] for kCount rows of fp32 x (padded with zeros to whole vectors) and kStreamColumns
/// consecutive rows of w, widened on the way.
template <DType kDType, std::size_t kCount>
HWY_INLINE void multiply_stream(std::size_t K, const float* HWY_RESTRICT x, std::size_t x_stride,
                                const std::uint16_t* HWY_RESTRICT w, std::size_t acc_stride, float* HWY_RESTRICT acc) {
  const DF df;
  V sum[kCount][kStreamColumns];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kCount; ++r)
#pragma GCC unroll 16
    for (std::size_t c = 0; c < kStreamColumns; ++c) sum[r][c] = hn::Zero(df);
  std::size_t k = 0;
  for (; k + kLanes <= K; k += kLanes) {
    V rows[kCount];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kCount; ++r) rows[r] = hn::Load(df, x + r * x_stride + k);
#pragma GCC unroll 16
    for (std::size_t c = 0; c < kStreamColumns; ++c) {
      const V each = load_wide<kDType>(df, w + c * K + k);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kCount; ++r) sum[r][c] = hn::MulAdd(each, rows[r], sum[r][c]);
    }
  }
  if constexpr (kLanes > 8) {
    if (k < K) {  // the 8 columns that are left
      const hn::Half<DF> dh;
#pragma GCC unroll 16
      for (std::size_t c = 0; c < kStreamColumns; ++c) {
        const V each = hn::ZeroExtendVector(df, load_wide<kDType>(dh, w + c * K + k));
#pragma GCC unroll 16
        for (std::size_t r = 0; r < kCount; ++r)
          sum[r][c] = hn::MulAdd(each, hn::Load(df, x + r * x_stride + k), sum[r][c]);
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kCount; ++r)
#pragma GCC unroll 16
    for (std::size_t c = 0; c < kStreamColumns; ++c)
      acc[r * acc_stride + c] = hn::GetLane(hn::SumOfLanes(df, sum[r][c]));
}

template <DType kDType>
void multiply_stream_rows(std::size_t rows, std::size_t K, const float* x, std::size_t x_stride, const std::uint16_t* w,
                          std::size_t acc_stride, float* acc) {
  switch (rows) {
    case 1:
      return multiply_stream<kDType, 1>(K, x, x_stride, w, acc_stride, acc);
    case 2:
      return multiply_stream<kDType, 2>(K, x, x_stride, w, acc_stride, acc);
    case 3:
      return multiply_stream<kDType, 3>(K, x, x_stride, w, acc_stride, acc);
  }
  if constexpr (kStreamRows > 3) {
    switch (rows) {
      case 4:
        return multiply_stream<kDType, 4>(K, x, x_stride, w, acc_stride, acc);
      case 5:
        return multiply_stream<kDType, 5>(K, x, x_stride, w, acc_stride, acc);
      case 6:
        return multiply_stream<kDType, 6>(K, x, x_stride, w, acc_stride, acc);
    }
  }
}

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}
constexpr std::size_t divide_up(std::size_t value, std::size_t by) {
  return (value + by - 1) / by;
}

/// A tile being computed. Its accumulators are `vectors` vectors wide; with the gated epilogue vector 2p holds gate
/// columns and 2p + 1 the up columns that belong to them.
template <DType kDType>
class TileJob {
 public:
  TileJob(const GroupedGemm& gemm, const TileShape& shape, const Tile& tile, float* scratch)
      : gemm_(gemm),
        shape_(shape),
        tile_(tile),
        rows_(static_cast<std::size_t>(tile.rows)),
        K_(static_cast<std::size_t>(gemm.K)),
        gated_(gemm.epilogue == Epilogue::gated) {
    const std::size_t lanes = divide_up(static_cast<std::size_t>(tile.columns), kLanes);
    vectors_ = gated_ ? 2 * lanes : round_up(lanes, 2);
    acc_stride_ = vectors_ * kLanes + kLanes;  // one vector more: rows a power of two apart would share cache sets
    w_ = gemm.w + tile.expert * gemm.N * gemm.K;
    acc_ = scratch;
    work_ = acc_ + rows_ * acc_stride_;
  }

  void run() {
    if (tile_.rows <= shape_.stream_rows) {
      stream();
    } else {
      multiply_packed();
    }
    switch (gemm_.epilogue) {
      case Epilogue::plain:
      case Epilogue::final:
        return store_plain();
      case Epilogue::gated:
        with_activation(gemm_.activation, [this](auto activation)
                                              HWY_ATTR { this->template store_gated<decltype(activation)::value>(); });
    }
  }

 private:
  std::int64_t slot(std::size_t row) const {
    return gemm_.sorted_slots[tile_.row_begin + static_cast<std::int64_t>(row)];
  }

  const std::uint16_t* x_row(std::size_t row) const {
    const std::int64_t index =
        gemm_.epilogue == Epilogue::final ? tile_.row_begin + static_cast<std::int64_t>(row) : slot(row) / gemm_.topk;
    return gemm_.x + index * gemm_.x_pitch;
  }

  /// Row of w behind the first lane of an accumulator vector. Lanes past the tile's columns are computed from its last
  /// row, to stay in bounds, and never stored.
  std::int64_t weight_row(std::size_t vector, std::size_t lane) const {
    const std::size_t column = (gated_ ? vector / 2 : vector) * kLanes + lane;
    const std::int64_t inside = std::min(static_cast<std::int64_t>(column), tile_.columns - 1);
    return (gated_ && vector % 2 == 1 ? gemm_.N / 2 : 0) + tile_.column_begin + inside;
  }

  /// Few rows: w is read once, in its own order.
  void stream() {
    const std::size_t x_stride = round_up(K_, 16) + 16;
    for (std::size_t r = 0; r < rows_; ++r) {
      const std::uint16_t* from = x_row(r);
      float* to = work_ + r * x_stride;
      for_lanes(K_, [&](auto df, std::size_t k) HWY_ATTR { hn::StoreU(load_wide<kDType>(df, from + k), df, to + k); });
      std::fill(to + K_, to + round_up(K_, 16), 0.0f);
    }
    for (std::size_t v = 0; v < vectors_; ++v) {
      const std::size_t column = (gated_ ? v / 2 : v) * kLanes;
      if (static_cast<std::int64_t>(column) >= tile_.columns) continue;  // the vector that makes their number even
      const std::size_t valid = std::min(kLanes, static_cast<std::size_t>(tile_.columns) - column);
      for (std::size_t c = 0; c < valid; c += kStreamColumns) {
        const std::uint16_t* w = w_ + weight_row(v, c) * gemm_.K;
        for (std::size_t r = 0; r < rows_; r += kStreamRows)
          multiply_stream_rows<kDType>(std::min(kStreamRows, rows_ - r), K_, work_ + r * x_stride, x_stride, w,
                                       acc_stride_, acc_ + r * acc_stride_ + v * kLanes + c);
      }
    }
  }

  /// Many rows: panels of w and x are widened and transposed once, then reused from the second-level cache.
  void multiply_packed() {
    const std::size_t blocks = divide_up(rows_, kRows);  // of nearly equal height
    const auto block_begin = [&](std::size_t block) { return block * rows_ / blocks; };
    const std::size_t depth_limit = static_cast<std::size_t>(shape_.block_k);
    for (std::size_t k = 0; k < K_; k += depth_limit) {
      const std::size_t depth = std::min(depth_limit, K_ - k);
      float* const x_panels = work_;
      float* const w_panel = x_panels + blocks * kPanelRows * depth;
      for (std::size_t b = 0; b < blocks; ++b)
        pack_x(block_begin(b), block_begin(b + 1), k, depth, x_panels + b * kPanelRows * depth);
      for (std::size_t v = 0; v < vectors_; v += 2) {
        pack_w(v, k, depth, w_panel);
        pack_w(v + 1, k, depth, w_panel + kLanes);
        for (std::size_t b = 0; b < blocks; ++b) {
          const std::size_t row = block_begin(b);
          const MultiplyPanel multiply =
              find_multiply_panel(block_begin(b + 1) - row, std::make_index_sequence<kRows>());
          multiply(depth, x_panels + b * kPanelRows * depth, w_panel, k == 0, acc_stride_,
                   acc_ + row * acc_stride_ + v * kLanes);
        }
      }
    }
  }

  void pack_x(std::size_t begin, std::size_t end, std::size_t k, std::size_t depth, float* out) const {
    for (std::size_t group = 0; group < end - begin; group += kLanes) {
      const std::uint16_t* rows[kLanes];
      for (std::size_t i = 0; i < kLanes; ++i) rows[i] = x_row(std::min(begin + group + i, end - 1)) + k;
      pack_group<kDType>(rows, depth, kPanelRows, out + group);
    }
  }

  void pack_w(std::size_t vector, std::size_t k, std::size_t depth, float* out) const {
    const std::uint16_t* rows[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i)
      rows[i] = w_ + weight_row(vector, i) * gemm_.K + static_cast<std::int64_t>(k);
    pack_group<kDType>(rows, depth, kColumns, out);
  }

  /// acc + bias, times the routing weight where this epilogue applies it.
  template <class D>
  HWY_INLINE hn::Vec<D> finish(D df, const float* acc, const std::uint16_t* bias, float weight) const {
    auto value = hn::LoadU(df, acc);
    if (bias != nullptr) value = hn::Add(value, load_wide<kDType>(df, bias));
    return apply_weight() ? hn::Mul(value, hn::Set(df, weight)) : value;
  }
  bool apply_weight() const { return gemm_.weight_on_input != (gemm_.epilogue == Epilogue::final); }

  void store_plain() const {
    const std::int64_t begin = tile_.column_begin;
    const std::uint16_t* bias = gemm_.bias == nullptr ? nullptr : gemm_.bias + tile_.expert * gemm_.N + begin;
    for (std::size_t r = 0; r < rows_; ++r) {
      const std::int64_t out_row =
          gemm_.epilogue == Epilogue::final ? slot(r) : tile_.row_begin + static_cast<std::int64_t>(r);
      const float* acc = acc_ + r * acc_stride_;
      const float weight = gemm_.routing_weights[slot(r)];
      std::uint16_t* out = gemm_.out + out_row * gemm_.N + begin;
      for_lanes(static_cast<std::size_t>(tile_.columns), [&](auto df, std::size_t n) HWY_ATTR {
        store_narrow<kDType>(df, this->finish(df, acc + n, bias == nullptr ? nullptr : bias + n, weight), out + n);
      });
    }
  }

  template <Activation kActivation>
  void store_gated() const {
    const std::int64_t inner = gemm_.N / 2;
    const std::int64_t begin = tile_.column_begin;
    const std::uint16_t* gate_bias = gemm_.bias == nullptr ? nullptr : gemm_.bias + tile_.expert * gemm_.N + begin;
    const std::uint16_t* up_bias = gate_bias == nullptr ? nullptr : gate_bias + inner;
    for (std::size_t r = 0; r < rows_; ++r) {
      const float* acc = acc_ + r * acc_stride_;
      const float weight = gemm_.routing_weights[slot(r)];
      std::uint16_t* out = gemm_.out + (tile_.row_begin + static_cast<std::int64_t>(r)) * inner + begin;
      for_lanes(static_cast<std::size_t>(tile_.columns), [&](auto df, std::size_t n) HWY_ATTR {
        const float* gate = acc + n / kLanes * 2 * kLanes + n % kLanes;
        const auto g = this->finish(df, gate, gate_bias == nullptr ? nullptr : gate_bias + n, weight);
        const auto u = this->finish(df, gate + kLanes, up_bias == nullptr ? nullptr : up_bias + n, weight);
        store_narrow<kDType>(df, activate<kActivation>(df, g, u), out + n);
      });
    }
  }

  const GroupedGemm& gemm_;
  const TileShape& shape_;
  const Tile& tile_;
  std::size_t rows_, K_;
  bool gated_;
  std::size_t vectors_ = 0, acc_stride_ = 0;
  const std::uint16_t* w_ = nullptr;
  float* acc_ = nullptr;   // [rows, acc_stride]
  float* work_ = nullptr;  // streamed: x [rows, x_stride]; packed: x panels, then one panel of w
};

void GemmTile(const GroupedGemm& gemm, const TileShape& shape, const Tile& tile, float* scratch) {
  with_dtype(gemm.dtype, [&](auto dtype) { TileJob<decltype(dtype)::value>(gemm, shape, tile, scratch).run(); });
}

constexpr std::size_t kPeakDepth = 64;  // panels of at most 12 kB

std::int64_t RunPeak(int repeats, float* scratch) {
  float* x = scratch;
  float* w = x + kPeakDepth * kPanelRows;
  float* acc = w + kPeakDepth * kColumns;
  for (int i = 0; i < repeats; ++i) multiply_panel<kRows>(kPeakDepth, x, w, false, kColumns, acc);
  return std::int64_t{2} * repeats * static_cast<std::int64_t>(kRows * kColumns * kPeakDepth);
}

}  // namespace HWY_NAMESPACE
}  // namespace moetune::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moetune::cpu {

HWY_EXPORT(GemmTile);
HWY_EXPORT(RunPeak);

std::size_t scratch_floats(const TileShape& shape, std::int64_t K) {
  const auto round_up = [](std::size_t value, std::size_t to) { return (value + to - 1) / to * to; };
  const auto rows = static_cast<std::size_t>(shape.block_m);
  const auto depth = std::min(static_cast<std::size_t>(shape.block_k), static_cast<std::size_t>(K));
  // Bounds over all instruction sets: vectors of up to 16 lanes, panels of 12 rows stored as 16 (or 6 as 8).
  const std::size_t acc = rows * (round_up(static_cast<std::size_t>(shape.block_n), 32) + 16);
  const std::size_t packed = (rows + 11) / 12 * 16 * depth + 32 * depth;
  const std::size_t streamed =
      std::min(rows, static_cast<std::size_t>(shape.stream_rows)) * (round_up(static_cast<std::size_t>(K), 16) + 16);
  return acc + std::max(packed, streamed);
}

void gemm_tile(const GroupedGemm& gemm, const TileShape& shape, const Tile& tile, float* scratch) {
  HWY_DYNAMIC_DISPATCH(GemmTile)(gemm, shape, tile, scratch);
}

std::int64_t run_peak(int repeats, float* scratch) {
  return HWY_DYNAMIC_DISPATCH(RunPeak)(repeats, scratch);
}
std::size_t peak_scratch_floats() {
  return 64 * 16 + 64 * 32 + 12 * 32;
}

}  // namespace moetune::cpu
#endif
