#include "measure/trial.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace moetune {
namespace {

TEST(TrialPhase, NamesReadBack) {
  for (const Trial::Phase phase : {Trial::Phase::screen, Trial::Phase::final})
    EXPECT_EQ(parse_phase(to_string(phase)), phase);
  EXPECT_THROW(parse_phase("finals"), Error);
}

TEST(BestConfig, FractionOfTheRooflineIsZeroWhereNothingWasMeasured) {
  Best best{.roofline_us = 50};
  EXPECT_EQ(best.roofline_fraction(), 0);
  best.time.median_us = 100;
  EXPECT_EQ(best.roofline_fraction(), 0.5);
}

}  // namespace
}  // namespace moetune
