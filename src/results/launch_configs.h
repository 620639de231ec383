// The files in which vLLM and SGLang keep the launch parameters of a Triton kernel.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "space/config.h"

namespace moetune {

/// M -> config, in file order. A "triton_version" beside them is passed over, as vLLM does. Throws Error naming
/// `origin` and the entry: for a key that is no M of 1 or more, and for values that are no integers (booleans are 0 and
/// 1).
std::vector<std::pair<std::int64_t, Config>> parse_launch_configs(std::string_view text, std::string_view origin);

}  // namespace moetune
