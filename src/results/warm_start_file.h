#pragma once

#include <filesystem>
#include <vector>

#include "search/warm_start.h"

namespace moetune {

/// Reads a best-config file, or a file of vLLM's or SGLang's MoE configs (M -> parameters), which become configs of
/// `mma`: of both GEMMs, or of the second where the name ends in _down.json. Throws Error naming the file and what in
/// it is not as expected.
std::vector<WarmConfig> read_warm_start(const std::filesystem::path& path);

}  // namespace moetune
