#pragma once

#include <cstddef>
#include <functional>

#include "base/outcome.h"
#include "cli/random_problems.h"

namespace moetune {

/// What happens meanwhile; called on the thread of verify_random().
struct RandomEvents {
  std::function<void(const Family::Member&, const PipelineConfig&, const Failure&)> on_failure;
  /// A family was passed over: a kernel of this config does not compile.
  std::function<void(const PipelineConfig&, const Failure&)> on_left_out;
  std::function<void(const Family::Member&, std::size_t done)> on_progress;
  std::function<bool()> should_stop;
};

struct RandomTally {
  std::size_t problems = 0;  ///< checked, with all implementations
  std::size_t failed = 0;    ///< of these: wrong, or not run to the end, with at least one

  bool operator==(const RandomTally&) const = default;
};

/// Verifies `count` random problems on `device`, the one that `source` draws for. Where kernels have to be compiled, up
/// to 50 problems share them, and those of the families to come are compiled beside the verifying. Throws Error where
/// hardly a family compiles, and where the device is lost.
RandomTally verify_random(Device& device, const FamilySource& source, std::size_t count, const RandomEvents& events);

}  // namespace moetune
