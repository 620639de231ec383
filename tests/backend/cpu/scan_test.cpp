#include "backend/cpu/scan.h"

#include <gtest/gtest.h>

#include <utility>

#include "kernels/lib/float16.h"

namespace moetune {
namespace {

TEST(CpuScan, CountsPoisonAndNonfiniteApart) {
  ThreadPool pool(3);
  for (const DType dtype : {DType::fp16, DType::bf16}) {
    std::vector<std::uint16_t> output(100'000, to_bits(dtype, 1.5f));
    output[0] = output[70'000] = kPoison;
    output[1] = to_bits(dtype, std::numeric_limits<float>::infinity());
    output[2] = to_bits(dtype, -std::numeric_limits<float>::infinity());
    output[99'999] = to_bits(dtype, std::numeric_limits<float>::quiet_NaN());
    output[50'000] = to_bits(dtype, dtype == DType::fp16 ? 65504.0f : 3e38f);  // large is not infinite
    const OutputScan scan = scan_output(pool, dtype, output);
    EXPECT_EQ(scan.unwritten, 2);
    EXPECT_EQ(scan.nonfinite, 3);
  }
}

TEST(CpuScan, HashSeesBitsAndPlacesButNotThreads) {
  ThreadPool one(1), four(4);
  std::vector<std::uint16_t> output(200'000);
  for (std::size_t i = 0; i < output.size(); ++i) output[i] = static_cast<std::uint16_t>(i % 1000);
  const std::uint64_t hash = scan_output(one, DType::bf16, output).hash;
  for (int repeat = 0; repeat < 5; ++repeat) EXPECT_EQ(scan_output(four, DType::bf16, output).hash, hash);
  output[123'456] ^= 1;
  EXPECT_NE(scan_output(one, DType::bf16, output).hash, hash);
  output[123'456] ^= 1;
  std::swap(output[7], output[8]);
  EXPECT_NE(scan_output(one, DType::bf16, output).hash, hash);
}

}  // namespace
}  // namespace moetune
