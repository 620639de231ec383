#include "reference/rounding.h"

#include <gtest/gtest.h>

#include "kernels/lib/fill.h"

namespace moetune {
namespace {

TEST(Rounding, KeepsEveryValueOfTheType) {
  for (const DType dtype : {DType::bf16, DType::fp16})
    for (unsigned bits = 0; bits < 65536; ++bits) {
      const double value = from_bits(dtype, static_cast<unsigned short>(bits));
      if (std::isnan(value)) continue;
      ASSERT_EQ(round_to(dtype, value), value) << bits;
      ASSERT_EQ(std::signbit(round_to(dtype, value)), std::signbit(value)) << bits;
    }
}

TEST(Rounding, AgreesWithTheRoundingOfFloats) {
  for (const DType dtype : {DType::bf16, DType::fp16})
    for (unsigned i = 0; i < 1'000'000; ++i) {
      const float value = float_from_bits(static_cast<unsigned>(random_bits(7, i)));
      if (std::isnan(value)) continue;
      ASSERT_EQ(round_to(dtype, value), static_cast<double>(from_bits(dtype, to_bits(dtype, value)))) << value;
    }
}

TEST(Rounding, RoundsOnceWhereFloatsWouldRoundTwice) {
  const double just_above_tie = 1 + 0x1p-8 + 0x1p-40;  // as a float this is the tie itself, and goes down to even
  EXPECT_EQ(round_to(DType::bf16, just_above_tie), 1 + 0x1p-7);
  EXPECT_EQ(from_bits(DType::bf16, to_bits(DType::bf16, static_cast<float>(just_above_tie))), 1.0f);
  EXPECT_EQ(round_to(DType::fp16, 1 + 0x1p-11 + 0x1p-40), 1 + 0x1p-10);
}

TEST(Rounding, TiesGoToEven) {
  EXPECT_EQ(round_to(DType::bf16, 257), 256);
  EXPECT_EQ(round_to(DType::bf16, 259), 260);
  EXPECT_EQ(round_to(DType::fp16, -2049), -2048);
  EXPECT_EQ(round_to(DType::fp16, -2051), -2052);
}

TEST(Rounding, OverflowsToInfinityAndPassesNaN) {
  EXPECT_EQ(round_to(DType::fp16, 65519), 65504);
  EXPECT_EQ(round_to(DType::fp16, 65520), std::numeric_limits<double>::infinity());
  EXPECT_EQ(round_to(DType::fp16, -1e300), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(round_to(DType::bf16, 3.4e38), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(round_to(DType::bf16, std::nan(""))));
}

}  // namespace
}  // namespace moetune
