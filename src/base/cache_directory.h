#pragma once

#include <filesystem>

namespace moetune {

/// Where results that can be made again are kept between runs: $MOETUNE_CACHE_DIR, else $XDG_CACHE_HOME/moe-tune, else
/// ~/.cache/moe-tune, else a folder in the system's temporary directory. Not created here.
std::filesystem::path cache_directory();

}  // namespace moetune
