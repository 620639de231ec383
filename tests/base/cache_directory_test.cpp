#include "base/cache_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace moetune {
namespace {

TEST(CacheDirectory, TakesTheFirstVariableThatIsSet) {
  setenv("HOME", "/home/someone", 1);
  unsetenv("XDG_CACHE_HOME");
  unsetenv("MOETUNE_CACHE_DIR");
  EXPECT_EQ(cache_directory(), "/home/someone/.cache/moe-tune");
  setenv("XDG_CACHE_HOME", "/var/cache/x", 1);
  EXPECT_EQ(cache_directory(), "/var/cache/x/moe-tune");
  setenv("MOETUNE_CACHE_DIR", "/fast", 1);
  EXPECT_EQ(cache_directory(), "/fast");
  setenv("MOETUNE_CACHE_DIR", "", 1);
  EXPECT_EQ(cache_directory(), "/var/cache/x/moe-tune");
}

}  // namespace
}  // namespace moetune
