#include "base/child_process.h"

#include <csignal>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

/// Its lines, until it closes its end.
std::vector<std::string> all_lines(ChildProcess& child) {
  std::vector<std::string> lines;
  while (!child.at_end()) {
    const ChildProcess* const one = &child;
    wait_for_any({&one, 1}, 10);
    for (std::string& line : child.receive()) lines.push_back(std::move(line));
  }
  return lines;
}

TEST(ChildProcess, TalksInLines) {
  ChildProcess child({"sh", "-c", "while read line; do echo \"<$line>\"; [ \"$line\" != end ] || exit 5; done"});
  EXPECT_TRUE(child.send("one"));
  EXPECT_TRUE(child.send("a longer one"));
  EXPECT_TRUE(child.send("end"));
  EXPECT_EQ(all_lines(child), (std::vector<std::string>{"<one>", "<a longer one>", "<end>"}));
  EXPECT_EQ(child.wait().exit_code, 5);
}

TEST(ChildProcess, LongLinesArriveWhole) {
  ChildProcess child({"cat"});
  const std::string line(150000, 'x');
  std::vector<std::string> lines;
  EXPECT_TRUE(child.send(line));
  while (lines.empty()) {
    const ChildProcess* const one = &child;
    wait_for_any({&one, 1}, 10);
    lines = child.receive();
  }
  EXPECT_EQ(lines, std::vector{line});
}

TEST(ChildProcess, ReceivingDoesNotWaitAndWaitingHasALimit) {
  ChildProcess child({"sleep", "100"});
  EXPECT_TRUE(child.receive().empty());
  const ChildProcess* const one = &child;
  wait_for_any({&one, 1}, 0.01);
  EXPECT_FALSE(child.at_end());
}  // and the sleeper goes with it

TEST(ChildProcess, TellsHowItEnded) {
  ChildProcess child({"sh", "-c", "kill -SEGV $$"});
  EXPECT_TRUE(all_lines(child).empty());
  EXPECT_EQ(child.wait().signal, SIGSEGV);

  ChildProcess other({"sleep", "100"});
  other.signal(SIGKILL);
  EXPECT_EQ(other.wait().signal, SIGKILL);
}

TEST(ChildProcess, NobodyToSendToIsNoFault) {
  ChildProcess child({"true"});
  all_lines(child);
  child.wait();
  EXPECT_FALSE(child.send("hello") && child.send("hello again"));
}

TEST(ChildProcess, ProgramsThatCannotBeStartedAreNamed) {
  EXPECT_ERROR(ChildProcess({"/nowhere/moe-tune"}), "cannot run '/nowhere/moe-tune': No such file");
}

}  // namespace
}  // namespace moetune
