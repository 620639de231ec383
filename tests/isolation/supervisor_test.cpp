#include "isolation/supervisor.h"

#include <gtest/gtest.h>

#include "isolation/worker_messages.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

/// Problems to hand out, and what came of them.
struct Source final : TaskSource {
  explicit Source(std::vector<std::int64_t> sizes) : waiting(std::move(sizes)) {}

  std::optional<TuneTask> next() override {
    if (waiting.empty() || stop) return std::nullopt;
    TuneTask task{.problem = sample_problem(), .budget = {}, .recorded = {}};
    task.problem.M = waiting.front();
    waiting.erase(waiting.begin());
    return task;
  }
  void finish(const std::vector<Best>& bests) override { finished.push_back(bests.size()); }
  void finish_transfers(const Transfers& measured) override { transfers.push_back(measured); }
  void give_up(const Error& error) override { errors.emplace_back(error.what()); }
  void on_trial(const Trial& trial) override { trials.push_back(trial); }
  void on_progress(const TuneProgress& progress) override { spent.push_back(progress.spent); }
  bool should_stop() override { return stop; }

  std::vector<std::int64_t> waiting;
  std::vector<std::size_t> finished;
  std::vector<Transfers> transfers;
  std::vector<std::string> errors;
  std::vector<Trial> trials;
  std::vector<Spent> spent;
  bool stop = false;
};

std::string said(const std::function<void(WorkerVoice&)>& say) {
  std::string lines;
  WorkerVoice voice([&](const std::string& line) { lines += line + "\n"; }, [] { return false; });
  say(voice);
  return lines;
}

const std::string kReady = said([](WorkerVoice& voice) { voice.on_ready(sample_environment().device, {}); });
const Transfers kTransfers{.problem = sample_problem(), .of = {{.tuned_M = 8, .M = 16, .regret = Regret{}}}};
const std::string kTransferred = said([](WorkerVoice& voice) { voice.on_transfers(kTransfers); });
const std::string kFinished = said([](WorkerVoice& voice) { voice.on_finished({sample_best()}); });
/// A config is tried, and in hand for so long.
std::string in_hand(double seconds) {
  return said([&](WorkerVoice& voice) {
    voice.on_attempt(sample_trial());
    voice.on_begin(sample_trial().config, seconds);
  });
}

/// A worker as a shell script; `say NAME` prints a text.
class Script {
 public:
  explicit Script(std::string_view body) : body_("cd \"$0\"; say() { cat \"$1\"; }; " + std::string(body)) {
    write_text(folder_ / "ready", kReady);
    write_text(folder_ / "finished", kFinished);
    write_text(folder_ / "transferred", kTransferred);
    write_text(folder_ / "progress",
               said([](WorkerVoice& voice) { voice.on_progress({.spent = {.compiling = 2, .on_device = 3}}); }));
    write_text(folder_ / "in_hand", in_hand(60));
    write_text(folder_ / "in_hand_briefly", in_hand(0.2));
  }
  std::vector<std::string> command() const { return {"sh", "-c", body_, folder_.path().string()}; }

 private:
  TemporaryFolder folder_;
  std::string body_;
};

void run(const Script& script, Source& source) {
  Supervisor supervisor(script.command(), {"cuda:0"}, [](std::string_view) {});
  ASSERT_EQ(supervisor.opened().size(), 1u);
  EXPECT_EQ(supervisor.opened().front().device, sample_environment().device);
  TaskSource* const sources[] = {&source};
  supervisor.run(sources);
}

TEST(Supervisor, HandsOutProblemsUntilNoneIsLeft) {
  Source source({1, 2, 3});
  run(Script("read device; say ready; while read task; do say finished; done"), source);
  EXPECT_EQ(source.finished, (std::vector<std::size_t>{1, 1, 1}));
  EXPECT_TRUE(source.errors.empty());
}

TEST(Supervisor, RunsAgainAndTakesOtherResultsThanBests) {
  Source source({1});
  const Script script(
      "read device; say ready; while read task; do "
      "if [ -e tuned ]; then say transferred; else touch tuned; say finished; fi; done");
  Supervisor supervisor(script.command(), {"cuda:0"}, [](std::string_view) {});
  TaskSource* const sources[] = {&source};
  supervisor.run(sources);
  EXPECT_EQ(source.finished.size(), 1u);
  source.waiting = {1, 2};
  supervisor.run(sources);  // the first run's process has ended
  EXPECT_EQ(source.finished.size(), 1u);
  EXPECT_EQ(source.transfers, (std::vector{kTransfers, kTransfers}));
  EXPECT_TRUE(source.errors.empty());
}

TEST(Supervisor, ACrashCostsTheConfigInHandItsTrialAndAFreshWorkerGoesOnFromThere) {
  Source source({1});
  // The second worker is told of the trial: a line more than the task itself.
  run(Script("read device; say ready; read task; "
             "if [ -e died ]; then read trial; case $trial in *'signal 11'*) say finished; read more;; esac; "
             "else touch died; say in_hand; kill -SEGV $$; fi"),
      source);
  ASSERT_EQ(source.trials.size(), 1u);
  const Trial& trial = source.trials.front();
  EXPECT_EQ(trial.config, sample_trial().config);
  EXPECT_EQ(trial.stage, sample_trial().stage);
  EXPECT_EQ(trial.rung, sample_trial().rung);
  EXPECT_EQ(trial.outcome, Outcome::runtime_error);
  EXPECT_NE(trial.reason.find("died of signal 11"), std::string::npos) << trial.reason;
  EXPECT_GE(trial.elapsed_s, sample_trial().elapsed_s);
  EXPECT_EQ(source.finished, std::vector<std::size_t>{1});
}

TEST(Supervisor, WhatADeadWorkerSpentIsCountedIn) {
  Source source({1, 2});
  run(Script("read device; say ready; read task; "
             "if [ -e died ]; then read trial; say progress; say finished; read task; say progress; say finished; read "
             "more; "
             "else touch died; say in_hand; say progress; kill -SEGV $$; fi"),
      source);
  const Spent once{.compiling = 2, .on_device = 3}, twice{.compiling = 4, .on_device = 6};
  EXPECT_EQ(source.spent, (std::vector{once, twice, once}));
}

TEST(Supervisor, AWorkerSilentForTooLongIsKilled) {
  Source source({1});
  run(Script("read device; say ready; read task; "
             "if [ -e died ]; then say finished; read more; else touch died; say in_hand_briefly; exec sleep 100; fi"),
      source);
  ASSERT_EQ(source.trials.size(), 1u);
  EXPECT_EQ(source.trials.front().outcome, Outcome::timeout);
  EXPECT_NE(source.trials.front().reason.find("no sign of life"), std::string::npos);
  EXPECT_EQ(source.finished, std::vector<std::size_t>{1});
}

TEST(Supervisor, KilledFromOutsideIsOutOfMemory) {
  Source source({1});
  run(Script("read device; say ready; read task; "
             "if [ -e died ]; then say finished; read more; else touch died; say in_hand; kill -KILL $$; fi"),
      source);
  ASSERT_EQ(source.trials.size(), 1u);
  EXPECT_EQ(source.trials.front().outcome, Outcome::out_of_memory);
}

TEST(Supervisor, TwoDeathsWithNothingInHandEndTheProblemAndNotTheRun) {
  Source source({1, 2});
  run(Script(
          "read device; say ready; read task; case $task in *'\"M\":1,'*) exit 3;; *) say finished; read more;; esac"),
      source);
  ASSERT_EQ(source.errors.size(), 1u);
  EXPECT_NE(source.errors[0].find("ended 2 times with no config in hand"), std::string::npos) << source.errors[0];
  EXPECT_NE(source.errors[0].find("exit code 3"), std::string::npos) << source.errors[0];
  EXPECT_EQ(source.finished, std::vector<std::size_t>{1});
  EXPECT_TRUE(source.trials.empty());
}

TEST(Supervisor, AnInterruptReachesTheWorkerWhichIsNotReplaced) {
  Source source({1, 2});
  const Script script(
      "read device; say ready; trap 'say finished; read more; exit' TERM; read task; touch working; "
      "while true; do sleep 0.02; done");
  Supervisor supervisor(script.command(), {"cuda:0"}, [](std::string_view) {});
  source.stop = false;
  struct Stopping final : TaskSource {
    explicit Stopping(Source& wrapped) : source(wrapped) {}
    std::optional<TuneTask> next() override { return source.next(); }
    void finish(const std::vector<Best>& bests) override { source.finish(bests); }
    void give_up(const Error& error) override { source.give_up(error); }
    bool should_stop() override { return source.stop = ++asked > 1; }
    Source& source;
    int asked = 0;
  } stopping(source);
  TaskSource* const sources[] = {&stopping};
  supervisor.run(sources);
  EXPECT_EQ(source.finished, std::vector<std::size_t>{1});
  EXPECT_EQ(source.waiting.size(), 1u);
  EXPECT_TRUE(source.errors.empty());
}

TEST(Supervisor, SeveralDevicesShareTheProblems) {
  Source first({1, 2}), second({3});
  const Script script("read device; say ready; while read task; do say finished; done");
  Supervisor supervisor(script.command(), {"cuda:0", "cuda:1"}, [](std::string_view) {});
  EXPECT_EQ(supervisor.opened().size(), 2u);
  TaskSource* const sources[] = {&first, &second};
  supervisor.run(sources);
  EXPECT_EQ(first.finished.size(), 2u);
  EXPECT_EQ(second.finished.size(), 1u);
}

TEST(Supervisor, ADeviceThatCannotBeOpenedIsAnErrorWithItsReason) {
  TemporaryFolder folder;
  write_text(folder / "error",
             said([](WorkerVoice& voice) { voice.on_error(Error("no such GPU", ExitCode::no_device)); }));
  try {
    Supervisor({"sh", "-c", "read device; cat " + (folder / "error").string()}, {"cuda:7"}, [](std::string_view) {});
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no such GPU");
    EXPECT_EQ(error.code(), ExitCode::no_device);
  }
  EXPECT_ERROR(Supervisor({"sh", "-c", "kill -ABRT $$"}, {"cuda:7"}, [](std::string_view) {}),
               "cuda:7: the process that was to drive it could not start: its process died of signal 6");
}

}  // namespace
}  // namespace moetune
