#pragma once

#include <memory>

#include "backend/device.h"

namespace moetune {

/// The host as a device, with the `cpu` engine. It offers as many threads as this process may use, or `threads` of them
/// where that is not 0.
std::unique_ptr<Device> make_cpu_device(int threads = 0);

}  // namespace moetune
