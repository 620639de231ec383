#include "cli/tune_run.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "results/best_file.h"
#include "results/environment.h"

namespace moetune {
namespace {

/// Throws Error unless times measured there mean the same here.
void check_same_device(const DeviceInfo& before, const DeviceInfo& now, const std::filesystem::path& folder) {
  const auto check = [&](std::string_view what, const std::string& was, const std::string& is) {
    if (was != is)
      throw Error(
          fmt::format("--resume: the tuning in '{}' was measured with another {}: '{}', not '{}'; give another "
                      "--out, or leave --resume out to begin anew",
                      folder.string(), what, was, is));
  };
  check("device", before.name, now.name);
  check("driver", before.driver, now.driver);
  check("kernel compiler", before.compiler, now.compiler);
}

}  // namespace

TuneRun::TuneRun(TuneGoal goal, std::optional<Past> past, Progress& progress, std::vector<std::string> command,
                 bool verbose)
    : goal_(std::move(goal)),
      past_(std::move(past)),
      progress_(progress),
      command_(std::move(command)),
      verbose_(verbose) {
  if (past_) {
    goal_.tuning.id = past_->tuning.id;
    seen_ = past_->journal;
    seen_.bests.clear();
  }
  for (std::size_t i = 0; i < goal_.problems.size(); ++i) {
    const ProblemPast known = past_ ? past_->of(goal_.problems[i]) : ProblemPast{};
    if (!known.done) {
      waiting_.push_back(i);
      continue;
    }
    ++done_;
    done_before_s_ += known.done->seconds;
    if (!known.done->failures.empty()) exit_code_ = static_cast<int>(ExitCode::wrong_result);
    for (const Recorded<Best>& best : known.bests) {
      seen_.bests.push_back(best);
      // The run may have ended between the journal's line and this file.
      write_best_file(goal_.folder / "best", {.best = best.record, .environment = seen_.runs[best.run].environment});
    }
  }
  std::reverse(waiting_.begin(), waiting_.end());
}

TuneRun::~TuneRun() = default;

TuneRun::Device& TuneRun::add_device(const DeviceInfo& info, const Ceilings& ceilings) {
  if (past_) check_same_device(past_->journal.runs.back().environment.device, info, goal_.folder);
  devices_.push_back(std::make_unique<Device>(*this, describe_environment(info, ceilings, command_)));
  return *devices_.back();
}

Report TuneRun::report() const {
  return make_report({&seen_, 1}, {});
}

void TuneRun::show() {
  double done = static_cast<double>(done_);
  std::string text;
  for (const auto& device : devices_) {
    const TuneProgress& progress = device->progress_;
    if (progress.expected == 0) continue;
    done += std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.expected));
    if (!text.empty()) text += " | ";
    if (goal_.problems.size() > 1) text += fmt::format("problem {}: ", device->index_ + 1);
    text += progress.phase;
    if (progress.best_us) text += fmt::format(", best {:.1f} µs {}", *progress.best_us, progress.best_label);
  }
  if (goal_.problems.size() > 1) text = fmt::format("{} of {} done, {}", done_, goal_.problems.size(), text);
  progress_.update(done / static_cast<double>(goal_.problems.size()), text);
}

TuneRun::Device::Device(TuneRun& run, const Environment& environment)
    : run_(run),
      environment_(environment),
      journal_(run.goal_.folder / "journal.jsonl", environment, run.goal_.tuning),
      index_in_seen_(run.seen_.runs.size()) {
  run_.seen_.runs.push_back({.id = journal_.run(), .environment = environment_, .tuning = run.goal_.tuning});
}

std::optional<TuneTask> TuneRun::Device::next() {
  if (run_.waiting_.empty() || should_stop()) return std::nullopt;
  const std::size_t left = run_.waiting_.size();
  index_ = run_.waiting_.back();
  run_.waiting_.pop_back();
  TuneTask task{.problem = run_.goal_.problems[index_], .budget = run_.goal_.budget, .recorded = {}};
  if (run_.past_) task.recorded = run_.past_->of(task.problem).trials;
  // What was left over of seconds goes to the problems to come. A number of trials is divided beforehand, so that what
  // is found depends neither on the order nor on who does it.
  if (task.budget && task.budget->kind == Budget::Kind::seconds)
    task.budget = share_of(*task.budget, run_.done_before_s_ + run_.seconds(), 0, left);
  else if (task.budget)
    task.budget = share_of(*task.budget, 0, 0, run_.goal_.problems.size());
  failures_.clear();
  task_seconds_ = 0;
  recorded_ = task.recorded.size();
  run_.progress_.note(to_line(task.problem));
  return task;
}

void TuneRun::Device::finish(const std::vector<Best>& bests) {
  progress_ = {};
  // An interrupted search has an end of its own only where its last rounds were complete.
  if (should_stop() && bests.empty()) return;
  journal_.add(bests, {.problem = run_.goal_.problems[index_], .seconds = task_seconds_, .failures = failures_});
  ++run_.done_;
  for (const Best& best : bests) {
    run_.seen_.bests.push_back({.record = best, .run = index_in_seen_, .line = 0});
    write_best_file(run_.goal_.folder / "best", {.best = best, .environment = environment_});
  }
}

void TuneRun::Device::give_up(const Error& error) {
  progress_ = {};
  ++run_.done_;
  run_.progress_.clear();
  warn(fmt::format("{}: {}", to_line(run_.goal_.problems[index_]), error.what()));
  run_.exit_code_ = static_cast<int>(error.code());
}

void TuneRun::Device::on_plan(const Problem&, const TunePlan& plan) {
  for (const TunePlan::StagePlan& stage : plan.stages) {
    if (stage.pinned) {
      run_.progress_.note(fmt::format("  {}: pinned", to_string(stage.stage)));
      continue;
    }
    std::string line = fmt::format("  {}: {} configs", to_string(stage.stage), stage.legal);
    std::size_t rejected = 0;
    for (const auto& [reason, count] : stage.rejected) rejected += count;
    if (rejected > 0) line += fmt::format(" ({} more cannot run here)", rejected);
    if (stage.trials) line += fmt::format(", at most {} trials", *stage.trials);
    run_.progress_.note(line);
    for (const std::string& passed_over : stage.passed_over) run_.progress_.note("    " + passed_over);
    if (!run_.verbose_) continue;
    for (const auto& [reason, count] : stage.rejected) run_.progress_.note(fmt::format("    {} {}", count, reason));
  }
  if (plan.seconds > 0)
    run_.progress_.note(fmt::format("  strategy {}, at most {}", plan.strategy, format_duration(plan.seconds)));
  if (recorded_ > 0) run_.progress_.note(fmt::format("  {} trials of it are known from before", recorded_));
}

void TuneRun::Device::on_trial(const Trial& trial) {
  journal_.add(trial);
  run_.seen_.trials.push_back({.record = trial, .run = index_in_seen_, .line = 0});
}

void TuneRun::Device::on_progress(const TuneProgress& progress) {
  progress_ = progress;
  task_seconds_ = progress.seconds;
  run_.show();
}

void TuneRun::Device::on_failure(const Problem& problem, Impl impl, const std::string& reason) {
  run_.progress_.clear();
  warn(fmt::format("{}: {} has no working config: {}", to_line(problem), to_string(impl), reason));
  failures_[impl] = reason;
  if (run_.exit_code_ == 0) run_.exit_code_ = static_cast<int>(ExitCode::wrong_result);
}

bool TuneRun::Device::should_stop() {
  return InterruptGuard::interrupted();
}

}  // namespace moetune
