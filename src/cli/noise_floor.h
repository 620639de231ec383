#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "backend/device.h"
#include "cli/device_cache.h"

namespace moetune {

DeviceCache noise_floor_cache(const DeviceInfo& device);

/// By how much one config differs from itself on the device (a share, the far end of the 95 % interval over 7 rounds),
/// as last measured, if it was. Throws Error where the file is damaged.
std::optional<double> cached_noise_floor(const DeviceInfo& device);

/// The cached one, or else, and where `again`, measured now and kept: the default config of a small problem, built
/// twice and sampled by turns as finalists are. Throws Error where that config does not work.
double find_noise_floor(Device& device, bool again, const std::function<void(std::string_view)>& note);

}  // namespace moetune
