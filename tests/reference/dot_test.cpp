#include "reference/dot.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/lib/fill.h"

namespace moetune {
namespace {

// Small integers: any order of summation is exact, so the result must be equal.
TEST(Dot, MatchesPlainLoopsForAnyNumberOfInputs) {
  for (const std::int64_t length : {8, 16, 24, 2880})
    for (const std::size_t count : {0u, 1u, 2u, 3u, 8u, 17u}) {
      const auto integer = [](std::uint64_t i) {
        return static_cast<float>(static_cast<int>(random_bits(5, i) % 201) - 100);
      };
      std::vector<float> weights(kDotRows * length), inputs(count * length);
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = integer(i);
      for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = integer(1'000'000 + i);
      std::vector<const float*> rows;
      for (std::size_t i = 0; i < count; ++i) rows.push_back(inputs.data() + i * length);
      std::vector<double> out(count * kDotRows, -1);
      dot_rows(weights.data(), rows, length, out.data());
      for (std::size_t i = 0; i < count; ++i)
        for (int r = 0; r < kDotRows; ++r) {
          double sum = 0;
          for (std::int64_t k = 0; k < length; ++k)
            sum += static_cast<double>(weights[r * length + k]) * inputs[i * length + k];
          ASSERT_EQ(out[i * kDotRows + r], sum) << "length " << length << ", input " << i << ", row " << r;
        }
    }
}

TEST(Dot, SumsInDoublePrecision) {
  // 2^30 + 1 - 2^30 in one lane: lost in fp32.
  std::vector<float> weights(kDotRows * 12, 1.0f), input(12, 0.0f);
  input[0] = 0x1p30f;
  input[4] = 1;
  input[8] = -0x1p30f;
  const float* const row = input.data();
  double out[kDotRows];
  dot_rows(weights.data(), {&row, 1}, 12, out);
  for (const double value : out) EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace moetune
