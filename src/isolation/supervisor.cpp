#include "isolation/supervisor.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/child_process.h"
#include "isolation/worker_messages.h"

namespace moetune {
namespace {

constexpr double kOpenSeconds = 300;  // to open a device and measure its ceilings
constexpr double kSilentSeconds =
    900;                    // with no config in hand: references, plans and compilation take minutes at most
constexpr int kDeaths = 2;  // without a config in hand, until a problem is given up

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Failure describe(const ChildProcess::End& end) {
  if (end.signal == SIGKILL)
    return {.outcome = Outcome::out_of_memory,
            .reason = "its process was killed from outside (SIGKILL), as the system does where memory runs out"};
  if (end.signal != 0)
    return {.outcome = Outcome::runtime_error,
            .reason = fmt::format("its process died of signal {} ({})", end.signal, strsignal(end.signal))};
  return {.outcome = Outcome::runtime_error,
          .reason = fmt::format("its process ended with exit code {}", end.exit_code)};
}

}  // namespace

/// A device's process, or the one that replaced it, and what it is at.
class Supervisor::Worker final : public WorkerEvents {
 public:
  Worker(const std::vector<std::string>& command, std::string device_id,
         const std::function<void(std::string_view)>& note)
      : command_(command), device_id_(std::move(device_id)), note_(note) {
    start();
  }

  void employ(TaskSource& source) {
    source_ = &source;
    take_task();
  }

  const ChildProcess* process() const { return process_.get(); }
  const std::optional<OpenedDevice>& opened() const { return opened_; }
  bool is_busy() const { return task_.has_value(); }
  double deadline_s() const { return deadline_s_; }

  /// Hears what has come, and acts on silence and death.
  void attend() {
    if (!process_) return;
    pass_on_interrupt();
    for (const std::string& line : process_->receive()) {
      quiet_for(kSilentSeconds);
      hear(line, task_ ? task_->problem : Problem{}, *this);
      if (!process_) return;
    }
    if (process_->at_end()) return on_death(process_->wait());
    if (now_seconds() < deadline_s_) return;
    process_->signal(SIGKILL);
    process_->wait();
    lost_ = {.outcome = Outcome::timeout,
             .reason = fmt::format("no sign of life for {:.0f} s: its process was killed", patience_s_)};
    on_death({});
  }

  void on_ready(const DeviceInfo& device, const Ceilings& ceilings) override {
    is_ready_ = true;
    opened_ = {.device = device, .ceilings = ceilings};
    if (task_) send_task();
  }
  void on_note(const std::string& line) override { note_(line); }
  void on_plan(const Problem& problem, const TunePlan& plan) override {
    if (!std::exchange(has_plan_, true)) source_->on_plan(problem, plan);
  }
  void on_attempt(const Trial& attempt) override { attempts_.push_back({.trial = attempt, .start_s = now_seconds()}); }
  void on_begin(const PipelineConfig& config, double seconds) override {
    in_hand_ = config;
    quiet_for(seconds);
  }
  void on_end() override { in_hand_.reset(); }
  void on_trial(const Trial& trial) override {
    std::erase_if(attempts_, [&](const Attempt& each) { return each.trial.config == trial.config; });
    task_->recorded.push_back(trial);
    source_->on_trial(trial);
  }
  void on_progress(const TuneProgress& progress) override {
    TuneProgress whole = progress;
    whole.spent += spent_before_;
    spent_ = whole.spent;
    source_->on_progress(whole);
  }
  void on_failure(const Problem& problem, Impl impl, const std::string& reason) override {
    if (failed_.insert(impl).second) source_->on_failure(problem, impl, reason);
  }
  void on_lost(const Failure& failure) override { lost_ = failure; }
  void on_finished(const std::vector<Best>& bests) override {
    end_task();
    source_->finish(bests);
    take_task();
  }
  void on_transfers(const Transfers& transfers) override {
    end_task();
    source_->finish_transfers(transfers);
    take_task();
  }
  void on_error(const Error& error) override {
    if (!is_ready_) throw error;
    end_task();
    source_->give_up(error);
    take_task();
  }

 private:
  struct Attempt {
    Trial trial;  ///< whose outcome is not known yet
    double start_s = 0;
  };

  void start() {
    is_ready_ = false;
    process_ = std::make_unique<ChildProcess>(command_);
    process_->send(to_message(device_id_));
    quiet_for(kOpenSeconds);
  }

  void quiet_for(double seconds) {
    patience_s_ = seconds;
    deadline_s_ = now_seconds() + seconds;
  }

  void take_task() {
    task_ = source_->next();
    if (!task_) {
      process_.reset();
      return;
    }
    deaths_ = 0;
    spent_ = spent_before_ = {};
    has_plan_ = false;
    failed_.clear();
    if (process_) return send_task();
    start();
  }

  void end_task() {
    task_.reset();
    attempts_.clear();
    in_hand_.reset();
  }

  void send_task() {
    attempts_.clear();
    in_hand_.reset();
    for (const std::string& line : to_messages(*task_)) process_->send(line);
    quiet_for(kSilentSeconds);
  }

  void pass_on_interrupt() {
    if (!source_ || was_interrupted_ || !source_->should_stop()) return;
    was_interrupted_ = true;
    process_->signal(SIGTERM);
  }

  void on_death(const ChildProcess::End& end) {
    process_.reset();
    const Failure failure = lost_ ? *lost_ : describe(end);
    lost_.reset();
    if (task_ && source_->should_stop()) {
      end_task();  // who ends a job may have signalled the process too: nobody is to blame
      source_->finish({});
      return;
    }
    if (!is_ready_)
      throw Error(fmt::format("{}: the process that was to drive it could not start: {}", device_id_, failure.reason));
    if (!task_) return;
    if (!blame(failure) && ++deaths_ >= kDeaths) {
      end_task();
      source_->give_up(Error(fmt::format(
          "the process that drives {} ended {} times with no config in hand, the last time because {}: given up",
          device_id_, kDeaths, failure.reason)));
      return take_task();
    }
    spent_before_ = spent_;
    start();
  }

  /// Records the failure as the outcome of the attempt in hand. False where there is none.
  bool blame(const Failure& failure) {
    if (!in_hand_) return false;
    const auto attempt = std::find_if(attempts_.begin(), attempts_.end(),
                                      [&](const Attempt& each) { return each.trial.config == *in_hand_; });
    if (attempt == attempts_.end()) return false;
    Trial trial = attempt->trial;
    trial.outcome = failure.outcome;
    trial.reason = failure.reason;
    trial.wall_s = now_seconds() - attempt->start_s;
    trial.elapsed_s += trial.wall_s;
    on_trial(trial);
    return true;
  }

  const std::vector<std::string>& command_;
  std::string device_id_;
  const std::function<void(std::string_view)>& note_;
  TaskSource* source_ = nullptr;
  std::unique_ptr<ChildProcess> process_;  ///< none where there is nothing left to do
  bool is_ready_ = false;
  std::optional<OpenedDevice> opened_;
  std::optional<TuneTask> task_;
  bool has_plan_ = false;          ///< was shown: not again after a death …
  std::set<Impl> failed_;          ///< … nor these
  std::vector<Attempt> attempts_;  ///< begun and not reported
  std::optional<PipelineConfig> in_hand_;
  std::optional<Failure> lost_;  ///< its last words
  double patience_s_ = 0, deadline_s_ = 0;
  int deaths_ = 0;
  Spent spent_, spent_before_;  ///< on the task so far; of it by processes that have ended
  bool was_interrupted_ = false;
};

Supervisor::Supervisor(std::vector<std::string> command, const std::vector<std::string>& device_ids,
                       std::function<void(std::string_view)> note)
    : command_(std::move(command)), note_(std::move(note)) {
  for (const std::string& id : device_ids) workers_.push_back(std::make_unique<Worker>(command_, id, note_));
  while (std::any_of(workers_.begin(), workers_.end(), [](const auto& worker) { return !worker->opened(); })) step();
  for (const auto& worker : workers_) opened_.push_back(worker->opened().value());
}

Supervisor::~Supervisor() = default;

void Supervisor::run(std::span<TaskSource* const> sources) {
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->employ(*sources[i]);
  while (std::any_of(workers_.begin(), workers_.end(), [](const auto& worker) { return worker->is_busy(); })) step();
}

void Supervisor::step() {
  std::vector<const ChildProcess*> processes;
  double wait_s = 0.25;  // in which an interrupt may go unnoticed
  for (const auto& worker : workers_) {
    if (!worker->process()) continue;
    processes.push_back(worker->process());
    wait_s = std::min(wait_s, worker->deadline_s() - now_seconds());
  }
  wait_for_any(processes, wait_s);
  for (const auto& worker : workers_) worker->attend();
}

}  // namespace moetune
