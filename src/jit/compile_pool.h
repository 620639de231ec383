#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/child_process.h"
#include "jit/program_compiler.h"

namespace moetune {

/// Compiles in processes of its own, which stay for the next program, as loading NVRTC takes a while. A compiler that
/// crashes, or takes longer than it may, costs its program and is replaced when next needed.
class CompilePool final : public ProgramCompiler {
 public:
  /// `command` is expected to serve_compile_jobs(). At most `size` run at a time, each started when first needed; a
  /// program may take `seconds`.
  CompilePool(std::vector<std::string> command, std::size_t size, double seconds);

  std::optional<Failure> compile(const CompileJob& job) override;

 private:
  /// Waits for one that is free, or starts one.
  std::unique_ptr<ChildProcess> take();
  /// Null where it is gone.
  void give_back(std::unique_ptr<ChildProcess> compiler);

  std::vector<std::string> command_;
  std::size_t size_;
  double seconds_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<ChildProcess>> idle_;
  std::size_t busy_ = 0;
};

/// The argument that makes moe-tune such a process; not for users.
inline constexpr std::string_view kCompileJobsArgument = "--serve-compile-jobs";

/// Compiles what the parent sends, until it closes its end.
void serve_compile_jobs(ParentChannel& parent);

}  // namespace moetune
