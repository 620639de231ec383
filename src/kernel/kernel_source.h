#pragma once

#include <string>
#include <vector>

namespace moetune {

/// A device kernel to compile: everything that decides its machine code, but for architecture and compiler.
struct KernelSource {
  std::string path;                  ///< of the embedded source, "kernels/mma/kernel.cu"
  std::vector<std::string> defines;  ///< "BLOCK_SIZE_M=64"

  auto operator<=>(const KernelSource&) const = default;
};

/// A kernel with its launch shape.
struct KernelPlan {
  KernelSource source;
  std::string entry;  ///< its extern "C" name
  int threads = 0;
  int shared_bytes = 0;
};

}  // namespace moetune
