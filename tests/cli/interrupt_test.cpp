#include "cli/interrupt.h"

#include <csignal>

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(Interrupt, TheFirstAsksTheSecondKills) {
  EXPECT_EXIT(
      {
        const InterruptGuard guard;
        if (InterruptGuard::interrupted()) std::exit(1);
        std::raise(SIGINT);
        if (!InterruptGuard::interrupted()) std::exit(2);
        std::raise(SIGINT);
        std::exit(3);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST(Interrupt, ANewGuardStartsAfresh) {
  {
    const InterruptGuard guard;
    std::raise(SIGTERM);
    EXPECT_TRUE(InterruptGuard::interrupted());
  }
  const InterruptGuard guard;
  EXPECT_FALSE(InterruptGuard::interrupted());
}

}  // namespace
}  // namespace moetune
