#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/driver.h"

namespace moetune {

/// Tunes on devices that are each driven by a process of its own (run_worker), so that a config can take that process
/// with it and nothing else. A process that dies, says that its device is lost, or is silent for longer than what it
/// does can take, costs the config in hand its trial, with the reason; a fresh one goes on from the trials recorded.
class Supervisor final : public Driver {
 public:
  /// Starts a process for each device, all at once: `command` is expected to run_worker(). Waits until they are ready;
  /// `note` gets their lines for the user. Throws Error where one cannot be.
  Supervisor(std::vector<std::string> command, const std::vector<std::string>& device_ids,
             std::function<void(std::string_view)> note);
  ~Supervisor() override;

  const std::vector<OpenedDevice>& opened() const override { return opened_; }
  /// A problem whose process dies twice with no config in hand is given up.
  void run(std::span<TaskSource* const> sources) override;

 private:
  class Worker;
  /// Waits for the next sign of any worker.
  void step();

  std::vector<std::string> command_;
  std::function<void(std::string_view)> note_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<OpenedDevice> opened_;
};

}  // namespace moetune
