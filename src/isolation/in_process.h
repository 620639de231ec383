#pragma once

#include <memory>

#include "isolation/driver.h"

namespace moetune {

/// Tunes in this process, for debuggers, profilers and sanitizers. A config that takes the device away ends the run.
class InProcess final : public Driver {
 public:
  /// `options` with the ceilings.
  InProcess(std::unique_ptr<Device> device, TuneOptions options);

  const std::vector<OpenedDevice>& opened() const override { return opened_; }
  void run(std::span<TaskSource* const> sources) override;

 private:
  std::unique_ptr<Device> device_;
  TuneOptions options_;
  std::vector<OpenedDevice> opened_;
};

}  // namespace moetune
