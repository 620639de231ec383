#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "backend/device.h"
#include "cli/device_cache.h"

namespace moetune {

DeviceCache ceilings_cache(const DeviceInfo& device);

/// The ceilings as last measured, if they were. Throws Error where the file is damaged.
std::optional<Ceilings> cached_ceilings(const DeviceInfo& device);

/// The cached ones, or else, and where `again`, measured now and kept. `note` is told what is being done. A cache that
/// cannot be written is a note, not an error.
Ceilings find_ceilings(Device& device, bool again, const std::function<void(std::string_view)>& note);

}  // namespace moetune
