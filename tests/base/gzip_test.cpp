#include "base/gzip.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace moetune {
namespace {

TEST(Gzip, RoundTripsWhatIsLongerThanAnyBuffer) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919 % 10007) + ",";
  for (const std::string& bytes : {std::string(), std::string("a\0b", 3), text}) {
    const std::string file = gzip(bytes);
    EXPECT_TRUE(is_gzip(file));
    EXPECT_EQ(gunzip(file), bytes);
    EXPECT_EQ(gzip(bytes), file);
  }
  EXPECT_LT(gzip(text).size(), text.size() / 2);
}

TEST(Gzip, WhatIsNotWholeIsRefused) {
  const std::string file = gzip("what was recorded");
  EXPECT_FALSE(is_gzip("{}"));
  EXPECT_THROW(gunzip("{}"), Error);
  EXPECT_THROW(gunzip(""), Error);
  EXPECT_THROW(gunzip(file.substr(0, file.size() - 9)), Error);
  std::string damaged = file;
  damaged[file.size() - 6] ^= 1;  // the checksum
  EXPECT_THROW(gunzip(damaged), Error);
}

}  // namespace
}  // namespace moetune
