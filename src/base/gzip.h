#pragma once

#include <string>
#include <string_view>

namespace moetune {

/// The bytes as a gzip file. The same bytes give the same file: it holds no name and no time.
std::string gzip(std::string_view bytes);

/// What a gzip file holds. Throws Error for what is not one, is cut short, or fails its checksum.
std::string gunzip(std::string_view file);

/// Whether it begins as gzip files do.
bool is_gzip(std::string_view file);

}  // namespace moetune
