#include "base/error.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(Error, IsOneLineWhateverItQuotes) {
  EXPECT_STREQ(Error("'a\nb\x1b[31m\tc\x7f' is no file").what(), "'a?b?[31m?c?' is no file");
  EXPECT_STREQ(Error("12 µs … 'naïve'").what(), "12 µs … 'naïve'");
}

}  // namespace
}  // namespace moetune
