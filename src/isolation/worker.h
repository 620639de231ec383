#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/child_process.h"
#include "isolation/watched_device.h"
#include "search/tune.h"

namespace moetune {

/// What a worker process works with.
struct WorkerSetup {
  std::function<std::unique_ptr<Device>(std::string_view id)> open;
  /// With the ceilings; takes lines for the user.
  std::function<TuneOptions(Device& device, const std::function<void(std::string_view)>& note)> options;
  std::function<bool()> should_stop;
  Patience patience;
};

/// Drives the device that the supervisor names, tunes the problems that it sends, and tells it all that happens, until
/// it closes its end. A fault that takes the device away, and running out of memory, end the process.
void run_worker(ParentChannel& supervisor, const WorkerSetup& setup);

}  // namespace moetune
