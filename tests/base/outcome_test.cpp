#include "base/outcome.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace moetune {
namespace {

TEST(Outcome, NamesAreReadBack) {
  for (const Outcome outcome :
       {Outcome::ok, Outcome::invalid, Outcome::compile_error, Outcome::out_of_memory, Outcome::launch_error,
        Outcome::runtime_error, Outcome::timeout, Outcome::incorrect, Outcome::skipped})
    EXPECT_EQ(parse_outcome(to_string(outcome)), outcome);
  EXPECT_THROW(parse_outcome("fine"), Error);
}

TEST(Result, HoldsAValueOrWhyThereIsNone) {
  const Result<int> good(3);
  ASSERT_TRUE(good);
  EXPECT_EQ(good.value(), 3);
  const Result<int> bad(Failure{Outcome::timeout, "too slow"});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.failure().reason, "too slow");
}

}  // namespace
}  // namespace moetune
