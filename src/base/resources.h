#pragma once

#include <span>
#include <string_view>

namespace moetune {

/// A file of the source tree that the binary carries: kernel sources, search spaces, presets.
struct Resource {
  std::string_view path;  ///< relative to the project's root: "kernels/mma/kernel.cu"
  std::string_view text;
};

/// All of them, generated at build time.
std::span<const Resource> resources();

/// The text of one. Throws Error for a path that was not embedded.
std::string_view resource(std::string_view path);

}  // namespace moetune
