#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/outcome.h"
#include "jit/cubin_file.h"

namespace moetune {

/// One program to compile.
struct CompileJob {
  std::string source;  ///< an embedded file: "kernels/mma/kernel.cu"
  std::vector<std::string> options;
  CubinFile into;
};

/// Where NVRTC is run.
class ProgramCompiler {
 public:
  virtual ~ProgramCompiler() = default;
  /// Compiles it and writes the file, or says why it could not be compiled. Safe to call from several threads. Throws
  /// Error where the file cannot be written.
  virtual std::optional<Failure> compile(const CompileJob& job) = 0;
};

/// In this process: a compiler that crashes takes it along.
std::shared_ptr<ProgramCompiler> compile_here();

}  // namespace moetune
