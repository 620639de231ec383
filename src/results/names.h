// The words that records and the command line use for enumerators of the layers below.
#pragma once

#include <string>
#include <string_view>

#include "backend/device.h"

namespace moetune {

std::string_view to_string(Fill fill);          ///< "random", "exact_integer"
std::string_view to_string(CacheState cache);   ///< "cold", "warm"
std::string_view to_string(LaunchMode launch);  ///< "graph", "stream", "eager"
std::string_view to_string(LoadState load);     ///< "lasting", "replays"

// Each throws Error naming the value and the values there are.
Fill parse_fill(std::string_view name);
CacheState parse_cache_state(std::string_view name);
LaunchMode parse_launch_mode(std::string_view name);
LoadState parse_load_state(std::string_view name);
Backend parse_backend(std::string_view name);

/// What a benchmark is called: "qwen3-30b-a3b/M:16/merged", the shape in full where there is no model, and what differs
/// from the usual.
std::string benchmark_name(const Problem& problem, Impl impl);

}  // namespace moetune
