#pragma once

#include <span>
#include <vector>

#include "isolation/task.h"

namespace moetune {

/// A device that is open somewhere.
struct OpenedDevice {
  DeviceInfo device;
  Ceilings ceilings;
};

/// Whoever has devices open and tunes on them.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual const std::vector<OpenedDevice>& opened() const = 0;
  /// Works until no source has a task left, also after an earlier run: the i-th is asked for, and told of, what the
  /// i-th device does. Throws Error where a device is lost.
  virtual void run(std::span<TaskSource* const> sources) = 0;
};

}  // namespace moetune
