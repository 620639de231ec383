#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moetune {

enum class Backend { cpu, cuda, fake };
std::string_view to_string(Backend backend);

/// What a device is; enough to judge whether a config can run on it, and to name it in records.
struct DeviceInfo {
  Backend backend = Backend::cpu;
  std::string id;      ///< as given to --device: "cpu", "cuda:0"
  std::string name;    ///< "NVIDIA H200", "AMD EPYC 9354"
  std::string uuid;    ///< empty where the device has none
  int compute_capability = 0;             ///< CUDA: 10*major + minor; 0 elsewhere
  int multiprocessors = 0;                ///< SMs, or hardware threads
  std::int64_t l2_bytes = 0;              ///< last-level cache
  std::int64_t memory_bytes = 0;
  std::int64_t shared_memory_per_block = 0;  ///< CUDA: the opt-in limit, bytes; 0 elsewhere
  std::int64_t shared_memory_per_multiprocessor = 0;
  int registers_per_multiprocessor = 0;
  std::string driver;    ///< CUDA driver version "13.0", empty on the CPU
  std::string compiler;  ///< what compiles the kernels: "nvrtc 13.0", "gcc 12.2 avx512"

  bool operator==(const DeviceInfo&) const = default;
};

/// What the device can do at most, as `moe-tune doctor` measured it. Zero means not measured.
struct Ceilings {
  double read_bytes_per_s = 0;    ///< streaming read bandwidth
  double matrix_flops_per_s = 0;  ///< dense matrix product in 16-bit floats with fp32 accumulation (CPU: fp32)

  bool operator==(const Ceilings&) const = default;
};

}  // namespace moetune
