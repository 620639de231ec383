// The device itself: what it says of itself, its ceilings and its limits.
#include <gtest/gtest.h>

#include "base/error.h"
#include "gpu/gpu.h"

namespace moetune {
namespace {

TEST(GpuDevice, SaysWhatItIs) {
  MOETUNE_NEEDS_GPU();
  const DeviceInfo& info = gpu()->info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_GE(info.compute_capability, 80);
  EXPECT_GT(info.multiprocessors, 0);
  EXPECT_GT(info.l2_bytes, 1 << 20);
  EXPECT_GT(info.shared_memory_per_block, 64 << 10);
}

TEST(GpuDevice, MeasuresItsCeilings) {
  MOETUNE_NEEDS_GPU();
  const Ceilings ceilings = gpu()->measure_ceilings();
  EXPECT_GT(ceilings.read_bytes_per_s, 1e11);
  EXPECT_GT(ceilings.matrix_flops_per_s, 1e13);
}

TEST(GpuDevice, RefusesWhatDoesNotFit) {
  MOETUNE_NEEDS_GPU();
  const Problem huge{.M = 1, .K = 1 << 16, .N1 = 1 << 17, .N2 = 1 << 16, .E = 64, .topk = 1};
  try {
    gpu()->load(huge, {});
    FAIL() << "loaded " << gpu()->bytes_needed(huge) << " bytes";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("GiB"), std::string::npos) << error.what();
  }
}

TEST(GpuDevice, ThereIsNoHundredthGpu) {
  MOETUNE_NEEDS_GPU();
  EXPECT_THROW(make_cuda_device(100), Error);
}

}  // namespace
}  // namespace moetune
