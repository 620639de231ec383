#pragma once

#include <functional>
#include <memory>

#include "backend/device.h"

namespace moetune {

/// Is told what a device is about to do that may take the process with it.
class Watch {
 public:
  virtual ~Watch() = default;
  /// A pipeline of `config` is built or runs. It takes `seconds` at the very most.
  virtual void begin(const PipelineConfig& config, double seconds) = 0;
  virtual void end() = 0;
  /// `config` took the device away from this process.
  virtual void lost(const PipelineConfig& config, const Failure& failure) = 0;
};

/// How long a device may be silent before it is taken for hung.
struct Patience {
  double seconds = 30;          ///< for whatever it does …
  double times_roofline = 100;  ///< … and so many times what a run takes at the ceilings, for each run
  double build_seconds = 300;   ///< for building a pipeline on top, compilation included
};

/// `device`, with every build and run of a pipeline announced to `watch`. Both outlive it.
std::unique_ptr<Device> watch_device(Device& device, const Ceilings& ceilings, const Patience& patience, Watch& watch);

}  // namespace moetune
