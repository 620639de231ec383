#include "cli/near_names.h"

#include <vector>

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(NearNames, SuggestsWhatIsMeant) {
  const std::vector<std::string> names{"--model", "--M", "--budget", "--weight-on-input"};
  EXPECT_EQ(suggest("--modle", names), " (did you mean '--model'?)");
  EXPECT_EQ(suggest("--weight", names), " (did you mean '--weight-on-input'?)");
  EXPECT_EQ(suggest("--mudget", names), " (did you mean '--budget'?)");
  EXPECT_EQ(suggest("--completely-different", names), "");
  EXPECT_EQ(suggest("tune", std::vector<std::string>{"tune1", "tune2"}), " (did you mean 'tune1' or 'tune2'?)");
  EXPECT_EQ(suggest("", {}), "");
}

}  // namespace
}  // namespace moetune
