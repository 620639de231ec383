#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "problem/device_info.h"

namespace moetune {

/// "moe-tune: …" on stderr.
void warn(std::string_view line);

/// To a file, whole or not at all, or to stdout where `target` is "-". Throws Error.
void write_output(const std::string& target, std::string_view text);

/// moe-tune-results/nvidia-h200
std::filesystem::path default_results_folder(const DeviceInfo& device);

/// Colours belong on a terminal whose user has not set NO_COLOR.
bool stdout_takes_colours();

}  // namespace moetune
