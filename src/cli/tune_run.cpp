#include "cli/tune_run.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/shard.h"
#include "cli/tune_plan.h"
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

/// Whether all of `winners` were tried, and nothing else.
bool is_of(const Transfers& transfers, const std::vector<Winner>& winners) {
  std::set<std::pair<Impl, std::int64_t>> tried, wanted;
  for (const Transfer& each : transfers.of) tried.emplace(each.impl, each.tuned_M);
  for (const Winner& each : winners)
    if (each.M != transfers.problem.M) wanted.emplace(each.config.impl, each.M);
  return tried == wanted;
}

}  // namespace

std::string answer_files(const TuneGoal& goal, const Problem& problem) {
  const std::string path = (goal.folder / "best" / best_file_name(problem, goal.impls.front())).string();
  if (goal.impls.size() == 1) return path;
  std::vector<std::string_view> names;
  for (const Impl impl : goal.impls) names.push_back(to_string(impl));
  const auto end = path.rfind(names.front(), path.rfind('.'));
  return fmt::format("{}{{{}}}.json", path.substr(0, end), fmt::join(names, ","));
}

std::optional<Budget> budget_of_one(const TuneGoal& goal, std::size_t devices, double seconds_gone, std::size_t left) {
  if (!goal.budget) return std::nullopt;
  if (goal.budget->kind != Budget::Kind::seconds) return share_of(*goal.budget, 0, 0, goal.problems_in_all);
  return share_of(*goal.budget, seconds_gone, 0, (left + devices - 1) / devices);
}

TuneRun::TuneRun(TuneGoal goal, std::optional<Past> past, Progress& progress, std::vector<std::string> command,
                 bool verbose)
    : goal_(std::move(goal)),
      past_(std::move(past)),
      progress_(progress),
      command_(std::move(command)),
      verbose_(verbose),
      to_do_(goal_.problems.size()) {
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
}

TuneRun::~TuneRun() = default;

TuneRun::Device& TuneRun::add_device(const DeviceInfo& info, const Ceilings& ceilings) {
  if (past_) check_same_device(past_->journal.runs.back().environment.device, info, goal_.folder);
  if (!devices_.empty() && devices_.front()->environment_.device.name != info.name)
    throw Error(fmt::format("{} is a {}, {} a {}: tune them one after the other, each into a folder of its own",
                            devices_.front()->environment_.device.id, devices_.front()->environment_.device.name,
                            info.id, info.name));
  if (devices_.size() == 1) let_largest_wait_first();
  devices_.push_back(std::make_unique<Device>(*this, describe_environment(info, ceilings, command_)));
  return *devices_.back();
}

void TuneRun::let_largest_wait_first() {
  std::vector<std::size_t> place(goal_.problems.size());
  const std::vector<std::size_t> order = largest_first(goal_.problems);
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::sort(waiting_.begin(), waiting_.end(), [&](std::size_t a, std::size_t b) { return place[a] < place[b]; });
}

void TuneRun::announce() const {
  const DeviceInfo& device = devices_.front()->environment_.device;
  const Ceilings& ceilings = devices_.front()->environment_.ceilings;
  std::string ids;
  for (const auto& each : devices_) ids += (ids.empty() ? "" : ", ") + each->environment_.device.id;
  progress_.note(fmt::format("tuning on {} ({}), ceilings {:.0f} GB/s and {:.1f} TFLOP/s", device.name, ids,
                             ceilings.read_bytes_per_s * 1e-9, ceilings.matrix_flops_per_s * 1e-12));
  if (past_)
    progress_.note(
        fmt::format("going on after {} trials and {} problems", past_->trials(), past_->journal.done.size()));
}

void TuneRun::announce_total(const TunePlan& first, const Ceilings& ceilings) {
  if (std::exchange(is_announced_, true)) return;
  PlanTotal total;
  for (const Problem& problem : goal_.problems) {
    if (past_ && past_->of(problem).done) continue;
    TunePlan plan = first;
    plan.likely_seconds = likely_seconds(first, problem, ceilings);
    total.add(plan);
  }
  std::string then;
  if (goal_.bucket_margin) then = to_string(plan_transfers(goal_.problems, goal_.impls, ceilings), devices_.size());
  progress_.note(fmt::format("{}{}{}; results in {}", to_string(total, devices_.size()), then.empty() ? "" : "; then, ",
                             then, goal_.folder.string()));
}

void TuneRun::fail(const Error& error) {
  is_cut_short_ = true;
  complain(error);
}

void TuneRun::complain(const Error& error) {
  progress_.clear();
  warn(error.what());
  exit_code_ = static_cast<int>(error.code());
}

std::vector<Best> TuneRun::bests() const {
  std::vector<Best> all;
  for (const Recorded<Best>& best : seen_.bests) all.push_back(best.record);
  return all;
}

bool TuneRun::begin_transfers() {
  is_cut_short_ = is_cut_short_ || !waiting_.empty() || InterruptGuard::interrupted();
  if (is_cut_short_) return false;
  const std::vector<Best> found = bests();
  double seconds = 0;
  for (std::size_t i = 0; i < goal_.problems.size(); ++i) {
    const Problem& problem = goal_.problems[i];
    const std::vector<Winner> winners = winners_near(problem, found);
    if (winners.empty()) continue;
    if (const auto known = past_ ? past_->of(problem).transfers : std::nullopt; known && is_of(*known, winners)) {
      transfers_.push_back(*known);
      continue;
    }
    waiting_.push_back(i);
    seconds += likely_transfer_seconds(problem, winners.size(), devices_.front()->environment_.ceilings);
  }
  if (devices_.size() > 1) let_largest_wait_first();
  in_transfers_ = true;
  done_ = 0;
  to_do_ = waiting_.size();
  if (waiting_.empty()) return false;
  progress_.begin_part();
  progress_.note(fmt::format("trying the configs of neighbouring M at {} problem{}, about {}", to_do_,
                             to_do_ == 1 ? "" : "s", format_duration(seconds / static_cast<double>(devices_.size()))));
  return true;
}

std::vector<std::string> TuneRun::keep_buckets() {
  if (is_cut_short_ || !waiting_.empty() || InterruptGuard::interrupted()) {
    warn("--auto-buckets did not come to an end: every M keeps the config of its own; --resume goes on from here");
    return {};
  }
  const std::vector<FamilyBuckets> families = choose_family_buckets(bests(), transfers_, goal_.bucket_margin.value());
  const auto family_of = [&](const Best& best) -> const FamilyBuckets& {
    return *std::find_if(families.begin(), families.end(),
                         [&](const FamilyBuckets& each) { return each.has(best.problem, best.config.impl); });
  };
  // The kept ones first: a server that reads the folder meanwhile finds no M without a config near it.
  for (Recorded<Best>& best : seen_.bests) {
    const FamilyBuckets& family = family_of(best.record);
    if (!family.keeps(best.record.problem.M)) continue;
    best.record.bucket_transfer = transfers_of(best.record, family, transfers_);
    write_best_file(goal_.folder / "best", {.best = best.record, .environment = seen_.runs[best.run].environment});
  }
  for (const Recorded<Best>& best : seen_.bests) {
    if (family_of(best.record).keeps(best.record.problem.M)) continue;
    const std::filesystem::path path =
        goal_.folder / "best" / best_file_name(best.record.problem, best.record.config.impl);
    std::error_code error;
    if (std::filesystem::remove(path, error); error)
      throw Error(fmt::format("cannot remove '{}': {}", path.string(), error.message()));
  }
  std::vector<std::string> lines;
  const auto several = [](const FamilyBuckets& family) { return family.Ms.size() > 1; };
  const bool name_families = std::any_of(families.begin(), families.end(), [&](const FamilyBuckets& each) {
    return several(each) && !is_same_family(each.problem, families.front().problem);
  });
  for (const FamilyBuckets& family : families)
    if (several(family)) lines.push_back(to_line(family, goal_.bucket_margin.value(), name_families));
  return lines;
}

std::string TuneRun::account() const {
  if (tuned_s_ == 0) return "";
  return fmt::format("{} of tuning: {:.0f} s on the device, {:.0f} s waiting for compilers, {:.1f} s of moe-tune's own",
                     format_duration(tuned_s_), spent_.on_device, spent_.compiling,
                     tuned_s_ - spent_.on_device - spent_.compiling);
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
  if (goal_.problems.size() > 1) text = fmt::format("{} of {} done, {}", done_, to_do_, text);
  progress_.update(done / static_cast<double>(to_do_), text);
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
  if (run_.in_transfers_) return next_transfers();
  const std::size_t devices = run_.devices_.size();
  const std::optional<Budget> budget = budget_of_one(
      run_.goal_, devices, run_.done_before_s_ / static_cast<double>(devices) + run_.seconds(), run_.waiting_.size());
  TuneTask task = take_problem();
  task.budget = budget;
  if (run_.past_) task.recorded = run_.past_->of(task.problem).trials;
  recorded_ = task.recorded.size();
  run_.progress_.note(to_line(task.problem));
  run_.progress_.note("  -> " + answer_files(run_.goal_, task.problem));
  return task;
}

TuneTask TuneRun::Device::take_problem() {
  index_ = run_.waiting_.front();
  run_.waiting_.erase(run_.waiting_.begin());
  failures_.clear();
  task_seconds_ = 0;
  task_spent_ = {};
  return {.problem = run_.goal_.problems[index_], .budget = {}, .recorded = {}, .winners = {}};
}

TuneTask TuneRun::Device::next_transfers() {
  TuneTask task = take_problem();
  task.winners = winners_near(task.problem, run_.bests());
  // What failed there before fails again.
  for (const Recorded<Trial>& each : run_.seen_.trials)
    if (each.record.problem == task.problem && each.record.phase == Trial::Phase::final &&
        each.record.outcome != Outcome::ok)
      task.recorded.push_back(each.record);
  return task;
}

void TuneRun::Device::finish_transfers(const Transfers& transfers) {
  progress_ = {};
  journal_.add(transfers);
  ++run_.done_;
  run_.transfers_.push_back(transfers);
}

void TuneRun::Device::finish(const std::vector<Best>& bests) {
  progress_ = {};
  if (bests.size() + failures_.size() < run_.goal_.impls.size()) return;  // interrupted
  journal_.add(
      bests,
      {.problem = run_.goal_.problems[index_], .seconds = task_seconds_, .spent = task_spent_, .failures = failures_});
  run_.tuned_s_ += task_seconds_;
  run_.spent_ += task_spent_;
  ++run_.done_;
  for (const Best& best : bests) {
    run_.seen_.bests.push_back({.record = best, .run = index_in_seen_, .line = 0});
    write_best_file(run_.goal_.folder / "best", {.best = best, .environment = environment_});
  }
}

void TuneRun::Device::give_up(const Error& error) {
  progress_ = {};
  ++run_.done_;
  run_.complain(Error(fmt::format("{}: {}", to_line(run_.goal_.problems[index_]), error.what()), error.code()));
}

void TuneRun::Device::on_plan(const Problem&, const TunePlan& plan) {
  for (const std::string& line : plan_lines(plan, run_.verbose_)) run_.progress_.note(line);
  run_.announce_total(plan, environment_.ceilings);
  if (recorded_ > 0) run_.progress_.note(fmt::format("  {} trials of it are known from before", recorded_));
}

void TuneRun::Device::on_trial(const Trial& trial) {
  journal_.add(trial);
  run_.seen_.trials.push_back({.record = trial, .run = index_in_seen_, .line = 0});
}

void TuneRun::Device::on_progress(const TuneProgress& progress) {
  progress_ = progress;
  task_seconds_ = progress.seconds;
  task_spent_ = progress.spent;
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
