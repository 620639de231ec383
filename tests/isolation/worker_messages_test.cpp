#include "isolation/worker_messages.h"

#include <gtest/gtest.h>

#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

/// Keeps what it hears as text that can be compared.
struct Heard final : WorkerEvents {
  void on_plan(const Problem& problem, const TunePlan& made) override {
    EXPECT_EQ(problem, sample_problem());
    plan = made;
  }
  void on_attempt(const Trial& trial) override { attempts.push_back(trial); }
  void on_trial(const Trial& trial) override { trials.push_back(trial); }
  void on_progress(const TuneProgress& step) override { progress.push_back(step); }
  void on_failure(const Problem&, Impl impl, const std::string& reason) override { failures[impl] = reason; }
  void on_ready(const DeviceInfo& info, const Ceilings& of_device) override {
    device = info;
    ceilings = of_device;
  }
  void on_note(const std::string& line) override { note = line; }
  void on_begin(const PipelineConfig& config, double seconds) override {
    in_hand = config;
    limit_s = seconds;
  }
  void on_end() override { in_hand.reset(); }
  void on_lost(const Failure& failure) override { lost = failure; }
  void on_finished(const std::vector<Best>& found) override { bests = found; }
  void on_transfers(const Transfers& measured) override { transfers = measured; }
  void on_error(const Error& failure) override {
    error = failure.what();
    code = failure.code();
  }

  TunePlan plan;
  std::vector<Trial> attempts, trials;
  std::vector<TuneProgress> progress;
  std::map<Impl, std::string> failures;
  DeviceInfo device;
  Ceilings ceilings;
  std::string note, error;
  ExitCode code{};
  std::optional<PipelineConfig> in_hand;
  double limit_s = 0;
  Failure lost;
  std::vector<Best> bests;
  Transfers transfers;
};

struct Connection {
  Heard heard;
  WorkerVoice voice{[this](const std::string& line) {
                      EXPECT_EQ(line.find('\n'), line.npos);
                      hear(line, sample_problem(), heard);
                    },
                    [] { return false; }};
};

TEST(WorkerMessages, EveryEventArrivesAsItWas) {
  Connection connection;
  WorkerVoice& voice = connection.voice;
  const Heard& heard = connection.heard;

  voice.on_plan(sample_problem(), {.stages = {{.stage = Stage::gate,
                                               .legal = 66,
                                               .rejected = {{"too \"large\"", 14}},
                                               .trials = 20,
                                               .pinned = false,
                                               .passed_over = {"mma bm16 is passed over"}},
                                              {.stage = Stage::final, .pinned = true}},
                                   .seconds = 60,
                                   .likely_seconds = 9,
                                   .attempts = 34,
                                   .strategy = "halving"});
  ASSERT_EQ(heard.plan.stages.size(), 2u);
  EXPECT_EQ(heard.plan.stages[0].legal, 66u);
  EXPECT_EQ(heard.plan.stages[0].rejected.at("too \"large\""), 14u);
  EXPECT_EQ(heard.plan.stages[0].trials, 20u);
  EXPECT_EQ(heard.plan.stages[0].passed_over, std::vector<std::string>{"mma bm16 is passed over"});
  EXPECT_FALSE(heard.plan.stages[1].trials);
  EXPECT_TRUE(heard.plan.stages[1].pinned);
  EXPECT_EQ(heard.plan.seconds, 60);
  EXPECT_EQ(heard.plan.likely_seconds, 9);
  EXPECT_EQ(heard.plan.attempts, 34u);
  EXPECT_EQ(heard.plan.strategy, "halving");

  voice.on_attempt(sample_trial());
  voice.on_trial(sample_trial());
  EXPECT_EQ(heard.attempts, std::vector{sample_trial()});
  EXPECT_EQ(heard.trials, std::vector{sample_trial()});

  voice.on_progress({.phase = "gate", .done = 3, .expected = 9, .seconds = 1.25, .best_us = 7.5, .best_label = "µ"});
  voice.on_progress({.phase = "finals"});
  EXPECT_EQ(heard.progress[0].expected, 9u);
  EXPECT_EQ(heard.progress[0].best_us, 7.5);
  EXPECT_EQ(heard.progress[0].best_label, "µ");
  EXPECT_FALSE(heard.progress[1].best_us);

  voice.on_failure(sample_problem(), Impl::merged, "no config");
  EXPECT_EQ(heard.failures.at(Impl::merged), "no config");
  voice.on_ready(sample_environment().device, sample_environment().ceilings);
  EXPECT_EQ(heard.device, sample_environment().device);
  EXPECT_EQ(heard.ceilings, sample_environment().ceilings);
  voice.on_note("a line");
  EXPECT_EQ(heard.note, "a line");
  voice.on_begin(sample_pipeline(Impl::merged), 31.5);
  EXPECT_EQ(heard.in_hand, sample_pipeline(Impl::merged));
  EXPECT_EQ(heard.limit_s, 31.5);
  voice.on_end();
  EXPECT_FALSE(heard.in_hand);
  voice.on_lost({.outcome = Outcome::out_of_memory, .reason = "none left"});
  EXPECT_EQ(heard.lost, (Failure{.outcome = Outcome::out_of_memory, .reason = "none left"}));
  voice.on_finished({sample_best(Impl::three_kernel), sample_best(Impl::merged)});
  EXPECT_EQ(heard.bests, (std::vector{sample_best(Impl::three_kernel), sample_best(Impl::merged)}));
  const Transfers transfers{
      .problem = sample_problem(),
      .of = {{.impl = Impl::merged, .tuned_M = 8, .M = 16, .regret = Regret{.value = 0.5, .low = 0.25, .high = 0.75}}}};
  voice.on_transfers(transfers);
  EXPECT_EQ(heard.transfers, transfers);
  voice.on_error(Error("no such GPU", ExitCode::no_device));
  EXPECT_EQ(heard.error, "no such GPU");
  EXPECT_EQ(heard.code, ExitCode::no_device);
}

TEST(WorkerMessages, TasksArriveAsTheyWere) {
  EXPECT_EQ(read_device_message(to_message("cuda:1")), "cuda:1");
  for (const std::optional<Budget>& budget :
       {std::optional<Budget>{}, std::optional(Budget{.kind = Budget::Kind::seconds, .value = 1.0 / 3}),
        std::optional(Budget{.kind = Budget::Kind::share, .value = 0.2})}) {
    TuneTask task{.problem = sample_problem(), .budget = budget, .recorded = std::vector(3, sample_trial())};
    if (!budget) task.winners = {{.M = 8, .config = sample_pipeline(Impl::merged)}};
    const std::vector<std::string> lines = to_messages(task);
    EXPECT_EQ(lines.size(), 4u);
    auto next = lines.begin() + 1;
    const TuneTask read = read_task_messages(lines.front(), [&] { return *next++; });
    EXPECT_EQ(read.problem, task.problem);
    EXPECT_EQ(read.budget, task.budget);
    EXPECT_EQ(read.recorded, task.recorded);
    EXPECT_EQ(read.winners, task.winners);
  }
}

TEST(WorkerMessages, WhatIsNoEventIsNamed) {
  Heard heard;
  EXPECT_ERROR(hear("hello", {}, heard), "between moe-tune's own processes");
  EXPECT_ERROR(hear(R"({"event":"dance"})", {}, heard), "is none that a worker has");
}

}  // namespace
}  // namespace moetune
