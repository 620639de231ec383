#include "problem/device_info.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(DeviceInfo, BackendsHaveNames) {
  EXPECT_EQ(to_string(Backend::cpu), "cpu");
  EXPECT_EQ(to_string(Backend::cuda), "cuda");
  EXPECT_EQ(to_string(Backend::fake), "fake");
}

}  // namespace
}  // namespace moetune
