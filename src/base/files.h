#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace moetune {

/// Writes a whole file so that a reader sees the old one or the new one, never half of it: through a temporary file in
/// the same folder, which is made where it is missing. Throws Error naming the path and the system's reason.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Makes a folder and its parents. Throws Error where it cannot be made or cannot be written to.
void make_writable_directory(const std::filesystem::path& path);

/// The whole of a file. Throws Error naming it.
std::string read_file(const std::filesystem::path& path);

}  // namespace moetune
