#include "reference/activation.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

// Values from tables of the functions, to 15 digits.
TEST(Activation, MatchesKnownValues) {
  EXPECT_NEAR(activate(Activation::silu, 1, 2), 2 * 0.731058578630005, 1e-14);
  EXPECT_NEAR(activate(Activation::silu, -2, 1), -0.238405844044235, 1e-14);
  EXPECT_NEAR(activate(Activation::gelu, 1, 1), 0.841344746068543, 1e-14);
  EXPECT_NEAR(activate(Activation::gelu, -1, 3), 3 * -0.158655253931457, 1e-14);
  EXPECT_NEAR(activate(Activation::gelu_tanh, 1, 1), 0.841191990608277, 1e-14);
  EXPECT_NEAR(activate(Activation::swigluoai, 1, 2), 3 * 0.845795765932821, 1e-14);
}

TEST(Activation, SwigluLimitsTheGateFromAboveAndTheUpHalfFromBoth) {
  EXPECT_EQ(activate(Activation::swigluoai, 50, 1), activate(Activation::swigluoai, 7, 1));
  EXPECT_NE(activate(Activation::swigluoai, -50, 1), activate(Activation::swigluoai, -7, 1));
  EXPECT_EQ(activate(Activation::swigluoai, 1, 50), activate(Activation::swigluoai, 1, 7));
  EXPECT_EQ(activate(Activation::swigluoai, 1, -50), activate(Activation::swigluoai, 1, -7));
  EXPECT_EQ(activate(Activation::swigluoai, 1, -1), 0);
}

TEST(Activation, StaysFiniteFarOut) {
  for (const Activation activation : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::swigluoai})
    for (const double gate : {-1e4, -1e2, 0.0, 1e2, 1e4})
      EXPECT_TRUE(std::isfinite(activate(activation, gate, 3))) << gate;
}

TEST(Activation, SaturatedGatesAreExact) {
  for (const Activation activation : {Activation::silu, Activation::gelu, Activation::gelu_tanh}) {
    EXPECT_EQ(activate(activation, 64, 3), 192);
    EXPECT_EQ(activate(activation, 0, 3), 0);
  }
}

}  // namespace
}  // namespace moetune
