#include "backend/cuda/nvml.h"

#include <gtest/gtest.h>

namespace moetune::cuda {
namespace {

TEST(ClockReader, ReadsClockAndWhatHoldsItDown) {
  const ClockReader reader("GPU-fake", {MOETUNE_FAKE_NVML});
  EXPECT_EQ(reader.read(), (ClockState{.sm_mhz = 1410, .slowed_by = {"power limit", "temperature"}}));
}

TEST(ClockReader, KnowsNothingOfAnotherGpuOrWithoutTheLibrary) {
  EXPECT_EQ(ClockReader("GPU-other", {MOETUNE_FAKE_NVML}).read(), ClockState{});
  EXPECT_EQ(ClockReader("GPU-fake", {"libno-such-library.so"}).read(), ClockState{});
}

}  // namespace
}  // namespace moetune::cuda
