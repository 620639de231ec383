// What the fuzz targets have in common. Each is a reader of what a user hands in: whatever the bytes are, it reads them
// or throws Error with one line; anything else (another exception, a fault, a sanitizer's finding) ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
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

/// Ends the process where what this program wrote is not read, or is not what is written of it once more.
template <class ReadAndWrite>
void require_round_trip(const std::string& written, ReadAndWrite read_and_write) {
  try {
    require(read_and_write(std::string_view(written)) == written, "what was read is not what is written");
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    require(false, "what was written is not read");
  }
}

}  // namespace moetune
