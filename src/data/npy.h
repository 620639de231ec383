#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moetune {

/// A two-dimensional integer array, row by row.
struct IntegerMatrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::int64_t> values;  ///< [rows, columns]
};

/// Reads NumPy's .npy format, versions 1 to 3: two-dimensional arrays in C order of little-endian integers of 1 to 8
/// bytes, signed or not, of at most 2^24 elements. Throws Error naming `origin`, what was found and what is expected;
/// never looks past the end of `bytes`.
IntegerMatrix parse_npy(std::string_view bytes, std::string_view origin);

/// The same from a file.
IntegerMatrix read_npy(const std::string& path);

}  // namespace moetune
