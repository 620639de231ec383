#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/best_file.h"

namespace moetune {

/// A best-config file.
struct TunedConfig {
  std::string name;  ///< of the file, without its folder
  BestFile file;
};

/// All best-config files of `folder`, or of its subfolder best/ where there is one, by name. Throws Error where there
/// is no such folder, no such file in it, or one that cannot be read.
std::vector<TunedConfig> read_tuned_configs(const std::filesystem::path& folder);

}  // namespace moetune
