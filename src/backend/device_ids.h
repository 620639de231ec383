#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "problem/device_info.h"

namespace moetune {

/// The devices that a list names: "cuda:0,1" or "cuda:0,cuda:1" are two, "cuda:all" all GPUs that the driver shows,
/// "auto" and "cpu" one. Whether they are there is for open_device() to say. Throws Error where one is named twice, and
/// where all of none are asked for (exit code no_device).
std::vector<std::string> device_ids(std::string_view list);

/// What one id names: "cpu", "cuda:N", "cuda" for the first GPU, "auto" for that or, where there is none, the CPU.
struct DevicePlace {
  Backend backend = Backend::cpu;
  int index = 0;  ///< of a GPU; whether it is there is for others to say
};
/// Throws Error for anything else.
DevicePlace parse_device_id(std::string_view id);

}  // namespace moetune
