#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {
namespace fs = std::filesystem;

void make_writable_directory(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_directory(path, error))
    throw Error(fmt::format("'{}' is a file, not a folder; choose another", path.string()));
  fs::create_directories(path, error);
  if (error)
    throw Error(fmt::format("cannot make the folder '{}': {}; choose another", path.string(), error.message()));
  if (access(path.c_str(), W_OK | X_OK) != 0)
    throw Error(fmt::format("cannot write into '{}': {}; choose another folder", path.string(), std::strerror(errno)));
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  make_writable_directory(folder);
  const fs::path temporary = folder / fmt::format(".{}.{}.tmp", path.filename().string(), getpid());
  const auto fail = [&] {
    const int reason = errno;
    unlink(temporary.c_str());
    throw Error(fmt::format("cannot write '{}': {}", path.string(), std::strerror(reason)));
  };

  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) fail();
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = write(file, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int reason = errno;
      close(file);
      errno = reason;
      fail();
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  // Without this a power cut may leave the new name on an empty file.
  const bool synced = fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP;
  if (const int reason = errno; close(file) != 0 || !synced) {
    if (!synced) errno = reason;
    fail();
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) fail();
}

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw Error(fmt::format("'{}' is a folder; a file was expected", path.string()));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("cannot read '{}': {}", path.string(), std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) throw Error(fmt::format("cannot read '{}': {}", path.string(), std::strerror(errno)));
  return std::move(text).str();
}

}  // namespace moetune
