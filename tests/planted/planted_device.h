#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "backend/device.h"

namespace moetune {

/// What a config can be planted with that takes more than its pipeline with it.
enum class Calamity {
  crash,           ///< ends the process with SIGSEGV
  hang,            ///< does not come back
  exhaust_memory,  ///< throws std::bad_alloc
  break_device,    ///< a fault after which nothing runs on the device any more
};

struct Planted {
  std::map<std::pair<Stage, StageConfig>, Calamity> calamities;  ///< strike when a pipeline with the config is run
  std::chrono::milliseconds pace{0};                             ///< that each run takes longer
};

/// `device` with calamities. `break_device` does what the device's own kind of sticky fault is.
std::unique_ptr<Device> plant(std::unique_ptr<Device> device, Planted planted, std::function<void()> break_device);

}  // namespace moetune
