// A program of its own: a fault takes the context away from everything in the process.
#include <gtest/gtest.h>

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/gpu.h"
#include "base/error.h"
#include "kernels/lib/arguments.h"

namespace moetune {
namespace {

TEST(GpuFault, IsAnErrorThatSaysWhatToDo) {
  if (count_cuda_devices() == 0) GTEST_SKIP() << "needs an NVIDIA GPU";
  const auto device = make_cuda_device(0);
  const Problem problem{.M = 2, .K = 64, .N1 = 64, .N2 = 64, .E = 4, .topk = 2};
  device->load(problem, {});
  EXPECT_FALSE(device->is_lost());
  {
    cuda::Gpu same_context(0);
    cuda::Launch wild{.function = same_context.load({.path = "kernels/data/kernel.cu", .defines = {}}, "read_memory"),
                      .block = 32};
    wild.set_arguments(ReadArguments{.in = reinterpret_cast<const void*>(0x10), .count = 1, .sink = nullptr});
    same_context.enqueue(wild);
    EXPECT_THROW(same_context.wait(), cuda::DeviceError);
  }
  EXPECT_TRUE(device->is_lost());
  try {
    device->load(problem, {.seed = 3});
    FAIL() << "loaded on a lost device";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("run again"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace moetune
