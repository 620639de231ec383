#include "search/scoreboard.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(Scoreboard, RanksByRungThenTimeThenIndex) {
  Scoreboard board;
  board.add({.candidate = 4, .rung = 0, .outcome = Outcome::ok, .median_us = 1});
  board.add({.candidate = 3, .rung = 1, .outcome = Outcome::ok, .median_us = 9});
  board.add({.candidate = 2, .rung = 1, .outcome = Outcome::ok, .median_us = 8});
  board.add({.candidate = 1, .rung = 1, .outcome = Outcome::ok, .median_us = 9});
  EXPECT_EQ(board.ranked(), (std::vector<std::size_t>{2, 1, 3, 4}));
  EXPECT_EQ(board.best_us(), 8);
}

TEST(Scoreboard, WhatFailsIsSeenButNeverRanked) {
  Scoreboard board;
  board.add({.candidate = 7, .rung = 0, .outcome = Outcome::incorrect, .median_us = 0});
  EXPECT_TRUE(board.has_seen(7));
  EXPECT_TRUE(board.ranked().empty());
  EXPECT_FALSE(board.best_us());
}

TEST(Scoreboard, TheLatestCounts) {
  Scoreboard board;
  board.add({.candidate = 7, .rung = 0, .outcome = Outcome::ok, .median_us = 5});
  board.add({.candidate = 7, .rung = 1, .outcome = Outcome::runtime_error, .median_us = 0});
  EXPECT_TRUE(board.ranked().empty());
  EXPECT_EQ(board.size(), 1u);
}

}  // namespace
}  // namespace moetune
