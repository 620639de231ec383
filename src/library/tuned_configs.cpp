#include "library/tuned_configs.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {

namespace fs = std::filesystem;

std::vector<TunedConfig> read_tuned_configs(const fs::path& folder) {
  std::error_code error;
  const fs::path best = folder / "best";
  std::vector<fs::path> paths;
  for (fs::directory_iterator it(fs::is_directory(best, error) ? best : folder, error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".json") paths.push_back(it->path());
  if (error) throw Error(fmt::format("'{}' cannot be read: {}", folder.string(), error.message()));
  if (paths.empty())
    throw Error(
        fmt::format("'{}' has no best configs: give the folder that `moe-tune tune --out` wrote", folder.string()));
  std::sort(paths.begin(), paths.end());
  std::vector<TunedConfig> configs;
  for (const fs::path& path : paths)
    configs.push_back({.name = path.filename().string(), .file = read_best_file(path)});
  return configs;
}

}  // namespace moetune
