#pragma once

#include <cstdint>

#include "problem/device_info.h"

namespace moetune {

/// This machine as a device, from /proc and /sys. Memory is what this process may use: a container's limit counts.
DeviceInfo describe_machine();

/// Bytes that can be allocated now without swapping.
std::int64_t available_memory();

}  // namespace moetune
