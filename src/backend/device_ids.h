#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moetune {

/// The devices that a list names: "cuda:0,1" or "cuda:0,cuda:1" are two, "cuda:all" all GPUs that the driver shows,
/// "auto" and "cpu" one. Whether they are there is for open_device() to say. Throws Error where one is named twice, and
/// where all of none are asked for (exit code no_device).
std::vector<std::string> device_ids(std::string_view list);

}  // namespace moetune
