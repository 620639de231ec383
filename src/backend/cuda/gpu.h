#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/driver.h"
#include "backend/cuda/resources.h"
#include "jit/compiler.h"
#include "kernels/lib/arguments.h"
#include "problem/device_info.h"

namespace moetune::cuda {

/// One kernel launch with its arguments.
struct Launch {
  Function function = nullptr;
  unsigned grid = 1, block = 1, shared_bytes = 0;
  unsigned cluster = 1;  ///< blocks of a cluster
  /// May start before the launch ahead of it in the stream has ended: it waits by itself
  /// (kernels/ptx/grid_dependency.cuh).
  bool overlaps_predecessor = false;
  alignas(64) std::array<char, sizeof(BothGemmsArguments)> arguments;  ///< the kernel's one parameter; the largest fits

  template <class Arguments>
  void set_arguments(const Arguments& value) {
    static_assert(sizeof value <= sizeof arguments);
    std::memcpy(arguments.data(), &value, sizeof value);
  }
};

/// How memory is seen as a tensor of 16-bit floats; innermost dimension first.
struct TensorShape {
  std::vector<unsigned long long> sizes;    ///< elements
  std::vector<unsigned long long> strides;  ///< bytes, of all dimensions but the first
  std::vector<int> box;                     ///< elements that one copy takes
};

/// A GPU with a context, a stream and the kernels that were loaded: what workloads and pipelines share.
class Gpu {
 public:
  /// `compiler` is where NVRTC runs. Throws Error where there is no GPU `index`.
  explicit Gpu(int index, std::shared_ptr<ProgramCompiler> compiler = compile_here());
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;
  ~Gpu();

  const Driver& driver() const { return driver_; }
  const DeviceInfo& info() const { return info_; }
  KernelCompiler& compiler() { return *compiler_; }
  Stream stream() const { return stream_; }
  std::int64_t free_bytes() const;

  /// Whether a fault has made the context useless: every call fails from then on.
  bool is_lost() const;

  /// Makes this GPU's context the calling thread's.
  void use() const;
  Context context() const { return context_; }

  /// Compiles and loads. Throws DeviceError with the compiler's reason. A kernel may be asked for with several
  /// `shared_bytes`, and launched with any of them.
  Function load(const KernelSource& source, const std::string& entry, int shared_bytes = 0);

  /// Describes what lies at `address` for copies of boxes from and to shared memory, swizzled over the box's row: 128
  /// or 64 bytes.
  TensorMap tensor_map(DType dtype, DevicePointer address, const TensorShape& shape) const;

  void enqueue(const Launch& launch) const { enqueue(launch, stream_); }
  void enqueue(const Launch& launch, Stream stream) const;
  ReadyGraph record(const std::function<void()>& enqueue_all) const;
  void wait() const;

  /// Allocates what flush_cache() reads, before anything is measured: at least 256 MB and three times the cache.
  void prepare_flush();
  /// Reads that buffer, which leaves none of a workload's lines in the cache.
  void flush_cache();
  /// Reads it over and over for so many seconds, and waits.
  void read_memory(double seconds);

  /// The elapsed µs of each of `n` calls of `work` (which enqueues on the stream), each after `before`.
  std::vector<double> time(int n, const std::function<void()>& before, const std::function<void()>& work);

 private:
  const Driver& driver_;
  int device_ = 0;
  DeviceInfo info_;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  std::unique_ptr<KernelCompiler> compiler_;
  std::map<KernelSource, Module> modules_;
  std::map<Function, int> shared_bytes_;  ///< the most that each was asked for with
  std::unique_ptr<Timers> timers_;
  Buffer flush_buffer_, sink_;
  Launch flush_;
};

}  // namespace moetune::cuda
