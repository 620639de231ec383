#include "base/subprocess.h"

#include <csignal>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(Subprocess, ExitCodesAndErrorsComeBack) {
  EXPECT_EQ(run_process({"true"}), Ended{});
  EXPECT_EQ(run_process({"sh", "-c", "echo out; echo 'a line' >&2; exit 5"}),
            (Ended{.exit_code = 5, .signal = 0, .errors = "a line\n"}));
}

TEST(Subprocess, WordsArriveAsTheyAre) {
  EXPECT_EQ(run_process({"sh", "-c", "printf '%s|' \"$@\" >&2", "sh", "a b", "", "'\"$x"}).errors, "a b||'\"$x|");
}

TEST(Subprocess, SignalsAreNoExitCodes) {
  EXPECT_EQ(run_process({"sh", "-c", "kill -SEGV $$"}).signal, SIGSEGV);
}

TEST(Subprocess, MoreErrorsThanAPipeHolds) {
  EXPECT_EQ(run_process({"sh", "-c", "head -c 300000 /dev/zero >&2"}).errors.size(), 300000u);
}

TEST(Subprocess, ProgramsThatCannotBeStartedAreNamed) {
  EXPECT_ERROR(run_process({"/nowhere/moe-tune"}), "cannot run '/nowhere/moe-tune': No such file");
}

TEST(Subprocess, KnowsItsOwnExecutable) {
  EXPECT_EQ(own_executable().filename(), "base_test");
}

}  // namespace
}  // namespace moetune
