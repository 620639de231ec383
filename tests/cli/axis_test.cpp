#include "cli/axis.h"

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

using Values = std::vector<std::int64_t>;

TEST(Axis, ListsRangesAndPowers) {
  EXPECT_EQ(parse_axis("--M", "7"), Values({7}));
  EXPECT_EQ(parse_axis("--M", "4,1,2"), Values({4, 1, 2}));
  EXPECT_EQ(parse_axis("--M", "1024:4096:1024"), Values({1024, 2048, 3072, 4096})) << "both ends are taken";
  EXPECT_EQ(parse_axis("--M", "1:6:2"), Values({1, 3, 5}));
  EXPECT_EQ(parse_axis("--M", "5:5:100"), Values({5}));
  EXPECT_EQ(parse_axis("--M", "pow2:0:3"), Values({1, 2, 4, 8}));
  EXPECT_EQ(parse_axis("--M", "3,pow2:1:2,2:4:1"), Values({3, 2, 4})) << "each once";
}

TEST(Axis, BadPartsAreNamed) {
  EXPECT_ERROR(parse_axis("--M", ""), "--M '': a value is empty");
  EXPECT_ERROR(parse_axis("--M", "1,,2"), "a value is empty");
  EXPECT_ERROR(parse_axis("--M", "1,"), "a value is empty");
  EXPECT_ERROR(parse_axis("--M", "x"), "'x' is no integer");
  EXPECT_ERROR(parse_axis("--M", "1.5"), "'1.5' is no integer");
  EXPECT_ERROR(parse_axis("--M", "0"), "values must be 1 or more");
  EXPECT_ERROR(parse_axis("--M", "-4"), "values must be 1 or more");
  EXPECT_EQ(parse_axis("--M", "0,1", 0), Values({0, 1}));
  EXPECT_ERROR(parse_axis("--M", "1:4"), "a range needs");
  EXPECT_ERROR(parse_axis("--M", "4:1:1"), "a range runs upwards");
  EXPECT_ERROR(parse_axis("--M", "1:4:0"), "a range runs upwards");
  EXPECT_ERROR(parse_axis("--M", "1:100000000:1"), "more than 10000 values");
  EXPECT_ERROR(parse_axis("--M", "pow2:3"), "a first and a last exponent");
  EXPECT_ERROR(parse_axis("--M", "pow2:0:63"), "at most 62");
  EXPECT_ERROR(parse_axis("--M", "99999999999999999999"), "is no integer");
  // A range that ends at the largest integer does not run past it.
  EXPECT_EQ(parse_axis("--M", "9223372036854775806:9223372036854775807:1").size(), 2u);
}

}  // namespace
}  // namespace moetune
