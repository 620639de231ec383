#pragma once

#include <memory>

#include "backend/device.h"

namespace moetune {

/// The host as a device, with the `cpu` engine.
std::unique_ptr<Device> make_cpu_device();

}  // namespace moetune
