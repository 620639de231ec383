// What can be said of the CUDA device without one.
#include "backend/cuda/cuda_device.h"

#include <gtest/gtest.h>

#include "backend/cuda/cuda_workload.h"
#include "base/error.h"
#include "kernel/grouped_gemm.h"
#include "kernels/lib/arguments.h"

namespace moetune {
namespace {

TEST(CudaDevice, WithoutAGpuItSaysWhatIsMissing) {
  if (count_cuda_devices() > 0) GTEST_SKIP() << "this machine has a GPU";
  try {
    make_cuda_device(0);
    FAIL() << "made a device out of nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::no_device);
    EXPECT_NE(std::string(error.what()).find("driver"), std::string::npos) << error.what();
  }
}

TEST(RouteShape, CoversTheSlotsWithinTheLimitsOfABlock) {
  for (const std::int64_t E : {1, 8, 128, 512, 513, 1024})
    for (const std::int64_t M : {1, 2, 31, 32, 33, 511, 4096, 4097, 100000, 1 << 24}) {
      const cuda::RouteShape shape = cuda::route_shape(M, E);
      EXPECT_GE(std::int64_t{shape.blocks} * shape.slots_per_block, M);
      EXPECT_LT(std::int64_t{shape.blocks - 1} * shape.slots_per_block, M) << "a block without slots";
      EXPECT_LE(shape.blocks, 128);
      EXPECT_GE(shape.warps, 4);  // three of them scan
      EXPECT_LE(shape.warps, 32);
      EXPECT_EQ(shape.slots_per_block % 32, 0);
      EXPECT_LE(shape.align_shared_bytes, 99 * 1024) << "more than the smallest GPU's block has";
    }
}

TEST(TokenTiles, AreForFewSlots) {
  EXPECT_TRUE(uses_token_tiles({.M = 1, .K = 8, .N1 = 16, .N2 = 8, .E = 128, .topk = 8}));
  EXPECT_TRUE(uses_token_tiles({.M = 4, .K = 8, .N1 = 16, .N2 = 8, .E = 128, .topk = 8}));
  EXPECT_FALSE(uses_token_tiles({.M = 5, .K = 8, .N1 = 16, .N2 = 8, .E = 128, .topk = 8}));
  EXPECT_EQ(last_token_tiles_M({.M = 5, .K = 8, .N1 = 16, .N2 = 8, .E = 128, .topk = 8}), 4);
  EXPECT_EQ(last_token_tiles_M({.M = 1, .K = 8, .N1 = 16, .N2 = 8, .E = 7, .topk = 2}), 0);
}

TEST(ProblemBuffers, CountEveryTensor) {
  const Problem problem{.M = 16, .K = 64, .N1 = 128, .N2 = 64, .E = 4, .topk = 2, .bias = Bias::both};
  std::int64_t sum = 0;
  for (const std::int64_t bytes : cuda::ProblemBuffers::sizes(problem)) sum += bytes;
  const std::int64_t weights = 2 * 4 * (128 * 64 + 64 * 64 + 128 + 64), activations = 2 * (16 * 64 * 2);
  const std::int64_t intermediates = 2 * 32 * (128 + 64 + 64);
  EXPECT_GE(sum, weights + activations + intermediates);
  EXPECT_LE(sum, weights + activations + intermediates + 8192 + kPartialBytes + 4 * kPartCounters);  // tables, SPLIT_K
}

}  // namespace
}  // namespace moetune
