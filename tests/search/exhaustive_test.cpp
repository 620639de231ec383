#include <gtest/gtest.h>

#include <algorithm>

#include "search/strategy.h"
#include "search/tuning.h"

namespace moetune {
namespace {

TEST(Exhaustive, WalksTheSpaceInOrderAfterTheGuesses) {
  const StageSpace space = fake_stage_space(Stage::final);
  const auto strategy = make_exhaustive(space, 1);
  std::vector<std::size_t> seen;
  for (;;) {
    const auto batch = strategy->propose({}, {.batch = 7, .left = 1000, .spent = 0});
    if (batch.empty()) break;
    for (const Proposal& proposal : batch) seen.push_back(proposal.candidate);
  }
  EXPECT_EQ(seen, seeded_order(space, std::nullopt));
  EXPECT_TRUE(std::is_sorted(seen.begin() + static_cast<std::ptrdiff_t>(space.first.size()), seen.end()));
}

}  // namespace
}  // namespace moetune
