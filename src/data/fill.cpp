#include "data/fill.h"

#include <algorithm>
#include <cmath>

#include "data/clones.h"

namespace moetune {
namespace {

constexpr std::int64_t kBlock = 256;  // elements at a time: the intermediate arrays stay in the first-level cache
constexpr unsigned long long kStep = 0x9e3779b97f4a7c15ull;  // random_bits() advances by this from index to index

unsigned density(double share) {
  return static_cast<unsigned>(std::min(share * 4294967296.0, 4294967295.0));
}

/// Rounds to bf16. Values are finite.
inline float round_bf16(float value) {
  const unsigned bits = float_bits(value);
  return float_from_bits((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

/// Rounds to fp16 without a branch: adding 2^(13 + exponent) drops what lies below the last of its 11 bits, or below
/// 2^-24 for a subnormal. Values stay far below fp16's largest.
inline float round_fp16(float value) {
  const unsigned bits = float_bits(value);
  const unsigned exponent = std::max(bits & 0x7f800000u, 113u << 23);
  const float shift = float_from_bits(exponent + (13u << 23));
  const float magnitude = (float_from_bits(bits & 0x7fffffffu) + shift) - shift;
  return float_from_bits(float_bits(magnitude) | (bits & 0x80000000u));
}

/// `n` elements from the state of the first, key + index·kStep.
MOETUNE_CLONES void fill_random(unsigned long long state, float scale, bool bf16, float* out, std::int64_t n) {
  int sums[kBlock];
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, n - begin);
    for (std::int64_t i = 0; i < count; ++i, state += kStep) {
      const unsigned long long bits = mix_bits(state);
      const unsigned long long pairs = (bits & 0x00ff00ff00ff00ffull) + ((bits >> 8) & 0x00ff00ff00ff00ffull);
      const unsigned long long halves = pairs + (pairs >> 32);
      sums[i] = static_cast<int>((halves + (halves >> 16)) & 0xffffu) - 1020;
    }
    const float unit = scale * 0.0047841597f;  // as in near_normal()
    float* const to = out + begin;
    if (bf16)
      for (std::int64_t i = 0; i < count; ++i) to[i] = round_bf16(static_cast<float>(sums[i]) * unit);
    else
      for (std::int64_t i = 0; i < count; ++i) to[i] = round_fp16(static_cast<float>(sums[i]) * unit);
  }
}

/// `n` elements of one row: nonzero where 32 random bits are below `threshold`.
MOETUNE_CLONES void fill_sparse(unsigned long long state, unsigned threshold, float magnitude, bool has_sign,
                                float* out, std::int64_t n) {
  const unsigned long long sign_mask = has_sign ? 1ull << 63 : 0;
  for (std::int64_t i = 0; i < n; ++i, state += kStep) {
    const unsigned long long bits = mix_bits(state);
    const unsigned sign = static_cast<unsigned>((bits & sign_mask) >> 32);
    const unsigned value = float_bits(magnitude) | sign;
    out[i] = float_from_bits(static_cast<unsigned>(bits) < threshold ? value : 0u);
  }
}

}  // namespace

std::int64_t element_count(const Problem& problem, Tensor tensor) {
  switch (tensor) {
    case Tensor::hidden:
      return problem.M * problem.K;
    case Tensor::w1:
      return problem.E * problem.N1 * problem.K;
    case Tensor::b1:
      return problem.has_b1() ? problem.E * problem.N1 : 0;
    case Tensor::w2:
      return problem.E * problem.N2 * problem.inner();
    case Tensor::b2:
      return problem.has_b2() ? problem.E * problem.N2 : 0;
  }
  return 0;
}

FillSpec fill_spec(const Problem& problem, Tensor tensor, const DataSpec& data) {
  FillSpec spec{.dtype = problem.dtype, .exact = data.fill == Fill::exact_integer, .key = fill_key(data.seed, tensor)};
  const double K = static_cast<double>(problem.K), inner = static_cast<double>(problem.inner());
  switch (tensor) {
    case Tensor::hidden:
      spec.rows = problem.M;
      spec.columns = problem.K;
      spec.up_density = density(0.5);
      spec.positive = true;
      break;
    case Tensor::w1:
      spec.rows = problem.N1;
      spec.columns = problem.K;
      spec.gate_rows = problem.inner();
      spec.scale = static_cast<float>(1 / std::sqrt(K));
      spec.density = density(2 / K);
      spec.magnitude = 64;
      spec.up_density = density(8 / K);
      break;
    case Tensor::b1:
      spec.rows = problem.N1;
      spec.gate_rows = problem.inner();
      spec.scale = 0.5f;
      spec.density = density(0.5);
      spec.magnitude = 64;
      spec.up_density = density(0.5);
      break;
    case Tensor::w2:
      spec.rows = problem.N2;
      spec.columns = problem.inner();
      spec.scale = static_cast<float>(2 / std::sqrt(inner));
      spec.up_density = density(8 / inner);
      break;
    case Tensor::b2:
      spec.rows = problem.N2;
      spec.scale = 0.5f;
      spec.up_density = density(0.5);
      break;
  }
  return spec;
}

void fill_floats(const FillSpec& spec, std::int64_t first, std::span<float> out) {
  const auto state = [&](std::int64_t index) { return spec.key + static_cast<unsigned long long>(index) * kStep; };
  const std::int64_t end = first + static_cast<std::int64_t>(out.size());
  if (!spec.exact) {
    fill_random(state(first), spec.scale, spec.dtype == DType::bf16, out.data(), end - first);
    return;
  }
  for (std::int64_t index = first; index < end;) {  // row by row: gate rows differ from the others
    const std::int64_t row = index / spec.columns;
    const std::int64_t stop = std::min<std::int64_t>(end, (row + 1) * spec.columns);
    float* const to = out.data() + (index - first);
    if (row % spec.rows < spec.gate_rows)
      fill_sparse(state(index), spec.density, spec.magnitude, false, to, stop - index);
    else
      fill_sparse(state(index), spec.up_density, 1.0f, !spec.positive, to, stop - index);
    index = stop;
  }
}

}  // namespace moetune
