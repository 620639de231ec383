#include "base/cache_directory.h"

#include <cstdlib>

namespace moetune {

std::filesystem::path cache_directory() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
  };
  if (const char* path = set("MOETUNE_CACHE_DIR")) return path;
  if (const char* path = set("XDG_CACHE_HOME")) return std::filesystem::path(path) / "moe-tune";
  if (const char* path = set("HOME")) return std::filesystem::path(path) / ".cache" / "moe-tune";
  return std::filesystem::temp_directory_path() / "moe-tune-cache";
}

}  // namespace moetune
