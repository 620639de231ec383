#include "backend/cuda/probes.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <thread>

#include "base/shared_library.h"
#include "kernels/lib/arguments.h"

namespace moetune::cuda {
namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

const auto kNothing = [] {};

// cuBLAS's C interface (docs.nvidia.com/cuda/cublas), as far as one product needs it.
struct Blas {
  using Handle = struct CublasContext*;
  int (*create)(Handle*) = nullptr;
  int (*destroy)(Handle) = nullptr;
  int (*set_stream)(Handle, Stream) = nullptr;
  int (*gemm)(Handle, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int a_type, int lda,
              const void* b, int b_type, int ldb, const void* beta, void* c, int c_type, int ldc, int compute_type,
              int algorithm) = nullptr;
  static constexpr int kTransposed = 1, kPlain = 0, kBf16 = 14, kComputeFp32 = 68, kDefaultAlgorithm = -1;
};

}  // namespace

double measure_read_bandwidth(Gpu& gpu) {
  const std::int64_t bytes = std::min<std::int64_t>(4ll << 30, gpu.free_bytes() / 2) / 4096 * 4096;
  const Driver& d = gpu.driver();
  const Buffer buffer(d, static_cast<std::size_t>(bytes)), sink(d, 64);
  d.check(d.fill_8_async(buffer.address(), 0x5a, buffer.bytes(), gpu.stream()), "filling a buffer");
  Launch launch{.function = gpu.load({.path = "kernels/data/kernel.cu", .defines = {}}, "read_memory"),
                .grid = static_cast<unsigned>(gpu.info().multiprocessors * 4),
                .block = 512};
  launch.set_arguments(ReadArguments{.in = buffer.as<void>(), .count = bytes / 16, .sink = sink.as<unsigned>()});
  const auto work = [&] { gpu.enqueue(launch); };
  // The best of some 0.3 s: of two H200 whose pipelines read 4450 GB/s one had shown 4354 in the first 20 ms, the other
  // 4651.
  constexpr int kWindows = 16;
  double least_us = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kWindows; i++) least_us = std::min(least_us, median(gpu.time(20, kNothing, work)));
  return static_cast<double>(bytes) / least_us * 1e6;
}

double measure_matrix_rate(Gpu& gpu) {
  static const SharedLibrary library({"libcublas.so.13", "libcublas.so.12", "/usr/local/cuda/lib64/libcublas.so.13",
                                      "/usr/local/cuda/lib64/libcublas.so.12", "/usr/local/cuda/lib64/libcublas.so"});
  if (!library.is_open()) return 0;
  Blas blas;
  library.load(blas.create, "cublasCreate_v2");
  library.load(blas.destroy, "cublasDestroy_v2");
  library.load(blas.set_stream, "cublasSetStream_v2");
  library.load(blas.gemm, "cublasGemmEx");

  constexpr int kSide = 8192;
  constexpr long long kCount = static_cast<long long>(kSide) * kSide;
  const Driver& d = gpu.driver();
  const Buffer a(d, 2 * kCount), b(d, 2 * kCount), c(d, 2 * kCount);
  for (const Buffer* each : {&a, &b}) {  // random data: zeros would draw less power and run faster
    Launch fill{.function = gpu.load({.path = "kernels/data/kernel.cu", .defines = {}}, "fill_tensor"),
                .grid = static_cast<unsigned>(gpu.info().multiprocessors * 8),
                .block = 256};
    fill.set_arguments(FillArguments{.spec = {.key = fill_key(each == &a ? 1 : 2, Tensor::hidden), .columns = kSide},
                                     .out = each->as<unsigned short>(),
                                     .count = kCount});
    gpu.enqueue(fill);
  }
  gpu.wait();

  Blas::Handle handle = nullptr;
  if (blas.create(&handle) != 0) return 0;
  blas.set_stream(handle, gpu.stream());
  const float one = 1, zero = 0;
  int status = 0;
  const auto multiply = [&] {
    status |= blas.gemm(handle, Blas::kTransposed, Blas::kPlain, kSide, kSide, kSide, &one, a.as<void>(), Blas::kBf16,
                        kSide, b.as<void>(), Blas::kBf16, kSide, &zero, c.as<void>(), Blas::kBf16, kSide,
                        Blas::kComputeFp32, Blas::kDefaultAlgorithm);
  };
  gpu.time(3, kNothing, multiply);
  std::vector<double> us;
  for (int i = 0; i < 10; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    // The first product of a burst also pays for the clocks' rise.
    const std::vector<double> burst = gpu.time(4, kNothing, multiply);
    us.insert(us.end(), burst.begin() + 1, burst.end());
  }
  blas.destroy(handle);
  return status == 0 ? 2.0 * kSide * kCount / median(us) * 1e6 : 0;
}

}  // namespace moetune::cuda
