#include "base/single_quotes.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(InSingleQuotes, AQuoteEndsThemAndBeginsOthers) {
  EXPECT_EQ(in_single_quotes("a $b"), "'a $b'");
  EXPECT_EQ(in_single_quotes("it's"), "'it'\\''s'");
  EXPECT_EQ(in_single_quotes(""), "''");
}

}  // namespace
}  // namespace moetune
