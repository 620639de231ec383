// What the fuzz targets have in common. Each is a reader of what a user hands in: whatever the bytes are, it reads them
// or throws Error with one line; anything else (another exception, a fault, a sanitizer's finding) ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace moetune {

/// Ends the process where a property does not hold.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

/// Calls `read` with the bytes as text.
template <class Read>
int fuzz_text(const std::uint8_t* data, std::size_t size, Read read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error& error) {
    require(std::string_view(error.what()).find('\n') == std::string_view::npos, "a message of more than one line");
  }
  return 0;
}

}  // namespace moetune
