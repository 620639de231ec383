#include "base/shared_library.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace moetune {
namespace {

TEST(SharedLibrary, OpensTheFirstThatIsThere) {
  const SharedLibrary library({"libno-such-thing.so.7", "libc.so.6"});
  ASSERT_TRUE(library.is_open()) << library.error();
  EXPECT_EQ(library.name(), "libc.so.6");
  int (*absolute)(int) = nullptr;
  library.load(absolute, "abs");
  EXPECT_EQ(absolute(-3), 3);
  EXPECT_EQ(library.find("no_such_function"), nullptr);
  EXPECT_THROW(library.load(absolute, "no_such_function"), Error);
}

TEST(SharedLibrary, KeepsTheReasonWhereNoneIsThere) {
  const SharedLibrary library({"libno-such-thing.so.7"});
  EXPECT_FALSE(library.is_open());
  EXPECT_NE(library.error().find("libno-such-thing"), std::string::npos);
}

}  // namespace
}  // namespace moetune
