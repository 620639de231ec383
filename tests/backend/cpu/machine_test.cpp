#include "backend/cpu/machine.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(Machine, DescribesItself) {
  const DeviceInfo info = describe_machine();
  EXPECT_EQ(info.backend, Backend::cpu);
  EXPECT_EQ(info.id, "cpu");
  EXPECT_FALSE(info.name.empty());
  EXPECT_GE(info.multiprocessors, 1);
  EXPECT_GE(info.l2_bytes, 1 << 16);
  EXPECT_GE(info.memory_bytes, std::int64_t{1} << 28);
  EXPECT_NE(info.compiler.find(' '), std::string::npos) << info.compiler;
  EXPECT_EQ(info, describe_machine());
}

TEST(Machine, AvailableMemoryIsPartOfAll) {
  const std::int64_t available = available_memory();
  EXPECT_GT(available, 0);
  EXPECT_LE(available, describe_machine().memory_bytes);
}

}  // namespace
}  // namespace moetune
