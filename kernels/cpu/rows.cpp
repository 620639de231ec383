#include <algorithm>
#include <vector>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/gemm.h"

#include "kernels/cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "kernels/cpu/activation-inl.h"
#include "kernels/cpu/float16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace moetune::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <DType kDType, Activation kActivation>
void activate_range(std::int64_t begin, std::int64_t end, std::int64_t inner, const std::uint16_t* HWY_RESTRICT cache1,
                    std::uint16_t* HWY_RESTRICT cache2) {
  for (std::int64_t row = begin; row < end; ++row) {
    const std::uint16_t* gate = cache1 + row * 2 * inner;
    const std::uint16_t* up = gate + inner;
    std::uint16_t* out = cache2 + row * inner;
    for_lanes(static_cast<std::size_t>(inner), [&](auto df, std::size_t n) HWY_ATTR {
      const auto g = load_wide<kDType>(df, gate + n);
      const auto u = load_wide<kDType>(df, up + n);
      store_narrow<kDType>(df, activate<kActivation>(df, g, u), out + n);
    });
  }
}

void ActivateRows(DType dtype, Activation activation, std::int64_t begin, std::int64_t end, std::int64_t inner,
                  const std::uint16_t* cache1, std::uint16_t* cache2) {
  with_dtype(dtype, [&](auto d) {
    with_activation(activation, [&](auto a) {
      activate_range<decltype(d)::value, decltype(a)::value>(begin, end, inner, cache1, cache2);
    });
  });
}

/// One token: the sum of `count` rows, at least one.
template <DType kDType>
void sum_rows(const std::uint16_t* const* rows, std::size_t count, std::int64_t columns,
              std::uint16_t* HWY_RESTRICT out) {
  for_lanes(static_cast<std::size_t>(columns), [&](auto df, std::size_t n) HWY_ATTR {
    auto sum = load_wide<kDType>(df, rows[0] + n);
    for (std::size_t i = 1; i < count; ++i) sum = hn::Add(sum, load_wide<kDType>(df, rows[i] + n));
    store_narrow<kDType>(df, sum, out + n);
  });
}

void SumRows(DType dtype, const std::uint16_t* const* rows, std::size_t count, std::int64_t columns,
             std::uint16_t* out) {
  with_dtype(dtype, [&](auto d) { sum_rows<decltype(d)::value>(rows, count, columns, out); });
}

void NarrowFloats(DType dtype, const float* from, std::int64_t count, std::uint16_t* to) {
  with_dtype(dtype, [&](auto d) {
    for_lanes(static_cast<std::size_t>(count), [&](auto df, std::size_t i) HWY_ATTR {
      store_narrow<decltype(d)::value>(df, hn::LoadU(df, from + i), to + i);
    });
  });
}

std::uint64_t StreamRead(const void* data, std::size_t bytes) {
  const hn::ScalableTag<std::uint64_t> d;
  const std::size_t step = 8 * hn::Lanes(d);
  const auto* words = static_cast<const std::uint64_t*>(data);
  const std::size_t count = bytes / sizeof(std::uint64_t);
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  std::size_t i = 0;
  for (; i + step <= count; i += step) {
    a = hn::Add(a, hn::Xor(hn::LoadU(d, words + i), hn::LoadU(d, words + i + 1 * hn::Lanes(d))));
    b = hn::Add(b, hn::Xor(hn::LoadU(d, words + i + 2 * hn::Lanes(d)), hn::LoadU(d, words + i + 3 * hn::Lanes(d))));
    c = hn::Add(c, hn::Xor(hn::LoadU(d, words + i + 4 * hn::Lanes(d)), hn::LoadU(d, words + i + 5 * hn::Lanes(d))));
    e = hn::Add(e, hn::Xor(hn::LoadU(d, words + i + 6 * hn::Lanes(d)), hn::LoadU(d, words + i + 7 * hn::Lanes(d))));
  }
  std::uint64_t sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < count; ++i) sum += words[i];
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace moetune::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moetune::cpu {

HWY_EXPORT(ActivateRows);
HWY_EXPORT(SumRows);
HWY_EXPORT(NarrowFloats);
HWY_EXPORT(StreamRead);

void activate_rows(DType dtype, Activation activation, std::int64_t begin, std::int64_t end, std::int64_t inner,
                   const std::uint16_t* cache1, std::uint16_t* cache2) {
  HWY_DYNAMIC_DISPATCH(ActivateRows)(dtype, activation, begin, end, inner, cache1, cache2);
}

void combine_rows(DType dtype, std::int64_t begin, std::int64_t end, std::int64_t column_begin, std::int64_t column_end,
                  std::int64_t topk, std::int64_t N2, const std::int32_t* topk_ids, const ExpertMap& map,
                  const std::uint16_t* cache3, std::uint16_t* out, std::int64_t out_pitch) {
  std::vector<const std::uint16_t*> rows;  // of a token's choices that are here
  for (std::int64_t token = begin; token < end; ++token) {
    rows.clear();
    for (std::int64_t slot = token * topk; slot < (token + 1) * topk; ++slot)
      if (local_expert(map, topk_ids[slot]) >= 0) rows.push_back(cache3 + slot * N2 + column_begin);
    std::uint16_t* const to = out + token * out_pitch + column_begin;
    if (rows.empty())
      std::fill(to, to + (column_end - column_begin), std::uint16_t{0});
    else
      HWY_DYNAMIC_DISPATCH(SumRows)(dtype, rows.data(), rows.size(), column_end - column_begin, to);
  }
}

void narrow_floats(DType dtype, const float* from, std::int64_t count, std::uint16_t* to) {
  HWY_DYNAMIC_DISPATCH(NarrowFloats)(dtype, from, count, to);
}

std::uint64_t stream_read(const void* data, std::size_t bytes) {
  return HWY_DYNAMIC_DISPATCH(StreamRead)(data, bytes);
}

}  // namespace moetune::cpu
#endif
