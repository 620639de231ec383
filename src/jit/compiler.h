#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/outcome.h"
#include "jit/program_compiler.h"
#include "kernel/kernel_source.h"

namespace moetune {

/// Machine code and what the assembler said of it.
struct CompiledKernel {
  std::vector<char> cubin;
  int registers = 0;  ///< per thread; the most of all its entries

  bool operator==(const CompiledKernel&) const = default;
};

/// Reads the assembler's report in a compiler log. A kernel that spills registers, keeps a stack frame or has its wgmma
/// serialised is slow by construction: that is a failure with the reason, not a kernel.
Result<int> read_assembler_report(const std::string& log);

/// Compiles the embedded kernel sources for one architecture, through a cache on disk (cache_directory()/kernels) keyed
/// by all kernel sources, the options, the compiler's version and the architecture.
class KernelCompiler {
 public:
  /// `compute_capability`: 90 for sm_90. `compiler` is where NVRTC runs.
  explicit KernelCompiler(int compute_capability, std::shared_ptr<ProgramCompiler> compiler = compile_here());

  /// The kernel, or why it does not compile. Safe to call from several threads. Throws Error for a corrupt cache entry
  /// or a cache that cannot be written.
  Result<CompiledKernel> compile(const KernelSource& source);

  /// Compiles these with `threads` threads; `done` is called after each, from any thread. Results are kept for
  /// compile().
  void compile_all(std::span<const KernelSource> sources, int threads, const std::function<void()>& done);

  int compiled() const { return compiled_; }  ///< how many came from the compiler, not from the cache

 private:
  Result<CompiledKernel> compile_or_load(const KernelSource& source);

  std::string architecture_;
  std::shared_ptr<ProgramCompiler> compiler_;
  std::string sources_digest_;
  std::mutex mutex_;
  std::map<KernelSource, Result<CompiledKernel>> known_;
  std::atomic<int> compiled_ = 0;
};

}  // namespace moetune
