#include "cli/progress.h"

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(Progress, Durations) {
  EXPECT_EQ(format_duration(0.2), "0 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(3600 * 2 + 65), "2 h 01 min");
  EXPECT_EQ(format_duration(-5), "0 s");
}

TEST(Progress, TheBarTellsShareAndTimeLeft) {
  EXPECT_EQ(format_bar(0.5, 30, "gate", 80), "[##########..........]  50 %  30 s left  gate");
  EXPECT_EQ(format_bar(0, 30, "gate", 80), "[....................]   0 %  gate") << "no guess from nothing";
  EXPECT_EQ(format_bar(7, 30, "", 80).substr(0, 22), "[####################]");
}

TEST(Progress, TheBarFitsTheTerminal) {
  for (const int width : {0, 1, 10, 40})
    EXPECT_LE(format_bar(0.3, 10, std::string(200, 'x'), width).size(), width > 0 ? width - 1u : 0u);
}

TEST(Progress, QuietIsQuiet) {
  testing::internal::CaptureStderr();
  {
    Progress progress(Progress::Kind::none);
    progress.update(0.5, "text");
    progress.note("note");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, ElsewhereThanOnATerminalLinesAreRareAndPlain) {
  testing::internal::CaptureStderr();
  {
    Progress progress(Progress::Kind::lines);
    for (int i = 0; i < 1000; ++i) progress.update(i / 1000.0, "text");
    progress.note("note");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "note\n") << "less than 5 s have passed";
}

}  // namespace
}  // namespace moetune
