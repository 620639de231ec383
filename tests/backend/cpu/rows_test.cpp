// Conversions, activations and the sum over choices, element by element.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "backend/cpu/use_instruction_set.h"
#include "kernels/cpu/gemm.h"
#include "kernels/lib/float16.h"

namespace moetune {
namespace {

using cpu::activate_rows;
using cpu::instruction_sets;
using testing::UseInstructionSet;

constexpr DType kDTypes[] = {DType::fp16, DType::bf16};

/// Equal bits; any NaN equals any other.
bool same(DType dtype, std::uint16_t a, std::uint16_t b) {
  return a == b || (std::isnan(from_bits(dtype, a)) && std::isnan(from_bits(dtype, b)));
}

/// With all experts here.
void combine_rows(DType dtype, std::int64_t begin, std::int64_t end, std::int64_t column_begin, std::int64_t column_end,
                  std::int64_t topk, std::int64_t N2, const std::uint16_t* cache3, std::uint16_t* out,
                  std::int64_t out_pitch) {
  const std::vector<std::int32_t> ids(static_cast<std::size_t>(end * topk));
  cpu::combine_rows(dtype, begin, end, column_begin, column_end, topk, N2, ids.data(),
                    {.local = nullptr, .global = 1, .experts = 1}, cache3, out, out_pitch);
}

std::vector<std::uint16_t> all_patterns() {
  std::vector<std::uint16_t> bits(65536);
  std::iota(bits.begin(), bits.end(), std::uint16_t{0});
  return bits;
}

TEST(CpuRows, LoadsAndStoresEveryPatternUnchanged) {
  const auto in = all_patterns();
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    for (const DType dtype : kDTypes) {
      std::vector<std::uint16_t> out(in.size());
      combine_rows(dtype, 0, 1, 0, 65536, 1, 65536, in.data(), out.data(), 65536);
      for (std::size_t i = 0; i < in.size(); ++i)
        ASSERT_TRUE(same(dtype, out[i], in[i])) << std::hex << in[i] << " became " << out[i];
    }
  }
}

TEST(CpuRows, RoundsSumsToNearestEven) {
  // Sums of two arbitrary patterns: normal, subnormal, overflowing, halfway.
  constexpr std::int64_t kColumns = 1 << 19;
  std::mt19937 random(7);
  std::vector<std::uint16_t> in(2 * kColumns), out(kColumns);
  for (auto& bits : in) bits = static_cast<std::uint16_t>(random());
  // Neighbouring exponents, where ties are frequent.
  for (std::int64_t i = 0; i < kColumns / 2; ++i)
    in[kColumns + i] = static_cast<std::uint16_t>((in[i] & 0xfc00u) + (random() & 0x7ffu));
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    for (const DType dtype : kDTypes) {
      combine_rows(dtype, 0, 1, 0, kColumns, 2, kColumns, in.data(), out.data(), kColumns);
      for (std::int64_t i = 0; i < kColumns; ++i) {
        const std::uint16_t expected = to_bits(dtype, from_bits(dtype, in[i]) + from_bits(dtype, in[kColumns + i]));
        ASSERT_TRUE(same(dtype, out[i], expected)) << std::hex << in[i] << " + " << in[kColumns + i];
      }
    }
  }
}

TEST(CpuRows, NarrowsFloatsAsTheHostDoes) {
  std::mt19937 random(11);
  std::vector<float> in(1 << 20);
  for (float& value : in)
    value = float_from_bits(static_cast<unsigned>(random()));  // every kind of float, NaN included
  in[0] = 65519.99f, in[1] = 65520.0f, in[2] = 0x1p-25f, in[3] = 0x1.8p-24f, in[4] = -0.0f, in[5] = 3.4e38f;
  std::vector<std::uint16_t> out(in.size());
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    for (const DType dtype : kDTypes) {
      cpu::narrow_floats(dtype, in.data(), static_cast<std::int64_t>(in.size()), out.data());
      for (std::size_t i = 0; i < in.size(); ++i) ASSERT_TRUE(same(dtype, out[i], to_bits(dtype, in[i]))) << in[i];
    }
  }
}

TEST(CpuRows, CombinesOnlyTheGivenPart) {
  constexpr std::int64_t kTokens = 5, kTopk = 3, kN2 = 56;
  std::vector<std::uint16_t> in(kTokens * kTopk * kN2), out(kTokens * kN2);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = to_bf16(static_cast<float>(i % 7));
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    std::fill(out.begin(), out.end(), std::uint16_t{0xffff});
    combine_rows(DType::bf16, 1, 4, 8, 48, kTopk, kN2, in.data(), out.data(), kN2);
    for (std::int64_t m = 0; m < kTokens; ++m)
      for (std::int64_t n = 0; n < kN2; ++n) {
        float sum = 0;
        for (std::int64_t t = 0; t < kTopk; ++t) sum += from_bf16(in[(m * kTopk + t) * kN2 + n]);
        const bool inside = m >= 1 && m < 4 && n >= 8 && n < 48;
        ASSERT_EQ(out[m * kN2 + n], inside ? to_bf16(sum) : 0xffff) << m << ", " << n;
      }
  }
}

// Rows of choices that live elsewhere hold NaN here, as they may hold anything.
TEST(CpuRows, CombinesOnlyWhatIsHere) {
  constexpr std::int64_t kTopk = 3, kN2 = 24;
  const std::vector<std::int32_t> ids{0, 5, 1, 5, -1, 9, 2, 0, 5};
  const std::vector<int> local{0, -1, 1};
  std::vector<std::uint16_t> in(3 * kTopk * kN2, 0x7fc0);
  for (const int slot : {0, 6, 7}) std::fill_n(in.begin() + slot * kN2, kN2, to_bf16(static_cast<float>(slot + 1)));
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    std::vector<std::uint16_t> out(3 * kN2, 0xffff);
    cpu::combine_rows(DType::bf16, 0, 3, 0, kN2, kTopk, kN2, ids.data(),
                      {.local = local.data(), .global = 3, .experts = 2}, in.data(), out.data(), kN2);
    for (std::int64_t n = 0; n < kN2; ++n) {
      EXPECT_EQ(from_bf16(out[n]), 1);
      EXPECT_EQ(out[kN2 + n], 0);
      EXPECT_EQ(from_bf16(out[2 * kN2 + n]), 15);
    }
  }
}

double gate_of(Activation activation, double g) {
  switch (activation) {
    case Activation::silu:
      return g / (1 + std::exp(-g));
    case Activation::gelu:
      return g * 0.5 * std::erfc(-g / std::sqrt(2.0));
    case Activation::gelu_tanh: {
      const double y = std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g);
      return g / (1 + std::exp(-2 * y));
    }
    case Activation::swigluoai:
      return std::min(g, 7.0) / (1 + std::exp(-1.702 * std::min(g, 7.0)));
  }
  return 0;
}

double distance(DType dtype, std::uint16_t a, std::uint16_t b) {
  const auto order = [](std::uint16_t bits) { return bits & 0x8000 ? -(bits & 0x7fff) : bits & 0x7fff; };
  if (std::isnan(from_bits(dtype, a)) || std::isnan(from_bits(dtype, b)))
    return std::numeric_limits<double>::infinity();
  return std::abs(order(a) - order(b));
}

class CpuActivation : public ::testing::TestWithParam<std::tuple<DType, Activation>> {};

/// For every gate value: the correctly rounded result or, where fp32's own error decides a near tie, its neighbour.
/// That must be rare: a relative error of 1e-6 moves 0.2 % of fp16 results.
TEST_P(CpuActivation, IsRightForEveryGate) {
  const auto [dtype, activation] = GetParam();
  // With up = 1 (swigluoai: 0, for its up + 1) the row holds the gate's function alone.
  const float up = activation == Activation::swigluoai ? 0.0f : 1.0f;
  std::vector<std::uint16_t> cache1 = all_patterns(), cache2(65536);
  cache1.insert(cache1.end(), 65536, to_bits(dtype, up));
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    activate_rows(dtype, activation, 0, 1, 65536, cache1.data(), cache2.data());
    int finite = 0, moved = 0;
    for (int bits = 0; bits < 65536; ++bits) {
      const double g = from_bits(dtype, static_cast<std::uint16_t>(bits));
      if (std::isnan(g)) {
        ASSERT_TRUE(std::isnan(from_bits(dtype, cache2[bits]))) << "NaN was lost";
        continue;
      }
      // Results below fp32's normal numbers are zero in every sense that matters here.
      const double exact = gate_of(activation, g);
      if (std::isinf(g) || std::abs(exact) < 1e-36) continue;
      const std::uint16_t expected = to_bits(dtype, static_cast<float>(exact));
      ASSERT_LE(distance(dtype, cache2[bits], expected), 1)
          << target << ": g = " << g << " gave " << from_bits(dtype, cache2[bits]) << " instead of " << exact;
      ++finite;
      moved += cache2[bits] != expected;
    }
    EXPECT_GT(finite, 20000);
    EXPECT_LT(moved, finite / 200) << target;
  }
}

TEST_P(CpuActivation, MultipliesByTheUpHalf) {
  const auto [dtype, activation] = GetParam();
  std::vector<std::uint16_t> up = all_patterns(), cache1(65536, to_bits(dtype, 3.0f)), cache2(65536);
  cache1.insert(cache1.end(), up.begin(), up.end());
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    activate_rows(dtype, activation, 0, 1, 65536, cache1.data(), cache2.data());
    for (int bits = 0; bits < 65536; ++bits) {
      double u = from_bits(dtype, up[bits]);
      if (std::isnan(u)) {
        ASSERT_TRUE(std::isnan(from_bits(dtype, cache2[bits]))) << "NaN was lost";
        continue;
      }
      if (activation == Activation::swigluoai) u = std::clamp(u, -7.0, 7.0) + 1;
      const double exact = gate_of(activation, 3.0) * u;
      if (std::abs(exact) < 1e-36 || std::abs(exact) > 3e38) continue;
      ASSERT_LE(distance(dtype, cache2[bits], to_bits(dtype, static_cast<float>(exact))), 1) << "u = " << u;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CpuActivation,
                         ::testing::Combine(::testing::ValuesIn(kDTypes),
                                            ::testing::Values(Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                                              Activation::swigluoai)));

TEST(CpuRows, StreamReadSeesEveryByte) {
  std::vector<std::uint64_t> words(1000);
  for (const std::string& target : instruction_sets()) {
    const UseInstructionSet use(target);
    for (const std::size_t changed : {0u, 1u, 511u, 512u, 998u, 999u}) {
      const std::uint64_t before = cpu::stream_read(words.data(), words.size() * 8);
      words[changed] += 3;
      EXPECT_NE(cpu::stream_read(words.data(), words.size() * 8), before) << changed;
    }
  }
}

}  // namespace
}  // namespace moetune
