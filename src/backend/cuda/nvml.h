#pragma once

#include <string>
#include <vector>

#include "backend/device.h"

namespace moetune::cuda {

/// Reads the clock of a GPU's multiprocessors and what holds it down, through NVIDIA's management library, which comes
/// with the driver (docs.nvidia.com/deploy/nvml-api). Takes a few µs.
class ClockReader {
 public:
  /// Of the GPU with this UUID ("GPU-…"). Where there is no library, or it does not know the GPU, read() knows nothing.
  explicit ClockReader(const std::string& uuid, const std::vector<std::string>& libraries = {"libnvidia-ml.so.1"});

  ClockState read() const;

 private:
  using Handle = struct NvmlDevice*;
  Handle device_ = nullptr;
  int (*clock_)(Handle, int, unsigned*) = nullptr;
  int (*reasons_)(Handle, unsigned long long*) = nullptr;
};

}  // namespace moetune::cuda
