#include "backend/device_ids.h"

#include <gtest/gtest.h>

#include "backend/cuda/cuda_device.h"
#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

using Ids = std::vector<std::string>;

TEST(DeviceIds, OneOrSeveral) {
  EXPECT_EQ(device_ids("auto"), Ids{"auto"});
  EXPECT_EQ(device_ids("cuda"), Ids{"cuda"});
  EXPECT_EQ(device_ids("cuda:3"), Ids{"cuda:3"});
  EXPECT_EQ(device_ids("cuda:0,2,1"), (Ids{"cuda:0", "cuda:2", "cuda:1"}));
  EXPECT_EQ(device_ids("cuda:0,cuda:1,fake:0,1"), (Ids{"cuda:0", "cuda:1", "fake:0", "fake:1"}));
  EXPECT_ERROR(device_ids("cuda:0,1,0"), "cuda:0 is named twice");
}

TEST(DeviceIds, WhatIsNoIdIsLeftToWhoeverOpensIt) {
  EXPECT_EQ(device_ids("1"), Ids{"1"});
  EXPECT_EQ(device_ids("cuda:0,"), (Ids{"cuda:0", ""}));
}

TEST(DeviceIds, AllThatThereAre) {
  if (const int count = count_cuda_devices(); count > 0)
    EXPECT_EQ(device_ids("cuda:all").size(), static_cast<std::size_t>(count));
  else
    EXPECT_ERROR(device_ids("cuda:all"), "shows no GPU");
}

}  // namespace
}  // namespace moetune
