#include "reference/dot.h"

#include <cstring>

#include "data/clones.h"

namespace moetune {
namespace {

// Four lanes of fp64: one register with AVX2, and 4 rows × 2 inputs of them cover the latency of its multiply-add.
constexpr int kLanes = 4;
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));

template <int inputs>
[[gnu::always_inline]] inline void dot_tile(const float* weights, const float* const* input, std::int64_t length,
                                            double* out) {
  Doubles sums[inputs][kDotRows] = {};
  for (std::int64_t k = 0; k < length; k += kLanes) {
    Doubles row[kDotRows];
    for (int r = 0; r < kDotRows; ++r) {
      Floats narrow;
      std::memcpy(&narrow, weights + r * length + k, sizeof narrow);
      row[r] = __builtin_convertvector(narrow, Doubles);
    }
    for (int i = 0; i < inputs; ++i) {
      Floats narrow;
      std::memcpy(&narrow, input[i] + k, sizeof narrow);
      const Doubles wide = __builtin_convertvector(narrow, Doubles);
      for (int r = 0; r < kDotRows; ++r) sums[i][r] += row[r] * wide;
    }
  }
  for (int i = 0; i < inputs; ++i)
    for (int r = 0; r < kDotRows; ++r) {
      const Doubles& sum = sums[i][r];
      out[i * kDotRows + r] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

MOETUNE_CLONES void dot_all(const float* weights, const float* const* inputs, std::int64_t count, std::int64_t length,
                            double* out) {
  std::int64_t i = 0;
  for (; i + 2 <= count; i += 2) dot_tile<2>(weights, inputs + i, length, out + i * kDotRows);
  if (i < count) dot_tile<1>(weights, inputs + i, length, out + i * kDotRows);
}

}  // namespace

void dot_rows(const float* weights, std::span<const float* const> inputs, std::int64_t length, double* out) {
  dot_all(weights, inputs.data(), static_cast<std::int64_t>(inputs.size()), length, out);
}

}  // namespace moetune
