// What a worker and its supervisor say to each other: JSON, one object a line.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "isolation/task.h"

namespace moetune {

/// What a worker has to say.
class WorkerEvents : public TuneEvents {
 public:
  /// The device is open.
  virtual void on_ready(const DeviceInfo& device, const Ceilings& ceilings) = 0;
  /// A line for the user.
  virtual void on_note(const std::string& line) = 0;
  /// `config` is in hand: what it does now takes `seconds` at the most.
  virtual void on_begin(const PipelineConfig& config, double seconds) = 0;
  /// It is out of hand again.
  virtual void on_end() = 0;
  /// The process cannot go on; the config in hand is why.
  virtual void on_lost(const Failure& failure) = 0;
  virtual void on_finished(const std::vector<Best>& bests) = 0;
  virtual void on_transfers(const Transfers& transfers) = 0;
  /// The problem failed, or the device could not be opened.
  virtual void on_error(const Error& error) = 0;
};

/// Each event as a line.
class WorkerVoice final : public WorkerEvents {
 public:
  WorkerVoice(std::function<void(const std::string&)> send, std::function<bool()> should_stop)
      : send_(std::move(send)), should_stop_(std::move(should_stop)) {}

  void on_plan(const Problem& problem, const TunePlan& plan) override;
  void on_attempt(const Trial& attempt) override;
  void on_trial(const Trial& trial) override;
  void on_progress(const TuneProgress& progress) override;
  void on_failure(const Problem& problem, Impl impl, const std::string& reason) override;
  bool should_stop() override { return should_stop_(); }
  void on_ready(const DeviceInfo& device, const Ceilings& ceilings) override;
  void on_note(const std::string& line) override;
  void on_begin(const PipelineConfig& config, double seconds) override;
  void on_end() override;
  void on_lost(const Failure& failure) override;
  void on_finished(const std::vector<Best>& bests) override;
  void on_transfers(const Transfers& transfers) override;
  void on_error(const Error& error) override;

 private:
  std::function<void(const std::string&)> send_;
  std::function<bool()> should_stop_;
};

/// Hands such a line on. `problem` is the one that the worker has. Throws Error where it is none.
void hear(std::string_view line, const Problem& problem, WorkerEvents& events);

/// The supervisor's first line: which device.
std::string to_message(std::string_view device_id);
std::string read_device_message(std::string_view line);

/// A task: a line, and one for each recorded trial, fetched by `next_line`.
std::vector<std::string> to_messages(const TuneTask& task);
TuneTask read_task_messages(std::string_view line, const std::function<std::string()>& next_line);

}  // namespace moetune
