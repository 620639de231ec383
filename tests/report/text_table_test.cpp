#include "report/text_table.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(TextTable, LinesUp) {
  TextTable table({{"µs"}, {"name", TextTable::Align::left}, {"x"}});
  table.add({{"1.25"}, {"a"}, {"1"}});
  table.add({{"10"}, {"longer"}, {""}});
  EXPECT_EQ(table.to_string(false),
            "    µs  name    x\n"
            "  1.25  a       1\n"
            "    10  longer\n");
}

TEST(TextTable, ColoursDoNotChangeTheWidths) {
  TextTable table({{"x"}, {"y"}});
  table.add({{"1", "\x1b[32m"}, {"22"}});
  EXPECT_EQ(table.to_string(true), "  \x1b[2mx\x1b[0m   \x1b[2my\x1b[0m\n  \x1b[32m1\x1b[0m  22\n");
  EXPECT_EQ(table.to_string(false).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace moetune
