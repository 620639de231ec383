#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>

namespace moetune {
namespace {

TEST(Digest, TellsBytesLengthsAndOrderApart) {
  std::set<std::string> seen;
  const auto is_new = [&](const Digest& digest) { return seen.insert(digest.hex()).second; };
  EXPECT_TRUE(is_new(Digest()));
  EXPECT_TRUE(is_new(Digest().add("")));
  EXPECT_TRUE(is_new(Digest().add("a")));
  EXPECT_TRUE(is_new(Digest().add("ab").add("c")));
  EXPECT_TRUE(is_new(Digest().add("a").add("bc")));
  EXPECT_TRUE(is_new(Digest().add(std::string_view("a\0", 2))));
  std::string text(1000, 'x');
  for (std::size_t i = 0; i < text.size(); i++) {
    text[i] = 'y';
    EXPECT_TRUE(is_new(Digest().add(text)));
    text[i] = 'x';
  }
}

TEST(Digest, IsTheSameForTheSameAndHas32Digits) {
  EXPECT_EQ(Digest().add("kernel").hex(), Digest().add("kernel").hex());
  EXPECT_EQ(Digest().add("kernel").hex().size(), 32u);
}

}  // namespace
}  // namespace moetune
