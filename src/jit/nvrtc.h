#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/outcome.h"

namespace moetune {

/// NVIDIA's run-time compiler, loaded when first needed. Needs no GPU.
class Nvrtc {
 public:
  /// Throws Error saying where it looked and how to install it. $MOETUNE_NVRTC names a library to use instead.
  static const Nvrtc& instance();

  std::pair<int, int> version() const { return version_; }
  std::string name() const;  ///< "nvrtc 13.0"

  struct Program {
    std::vector<char> cubin;
    std::string log;
  };
  /// Compiles `source` to machine code. `headers` are (name as included, text). Safe to call from several threads.
  Result<Program> compile(const std::string& source, const std::string& name,
                          const std::vector<std::pair<std::string, std::string>>& headers,
                          const std::vector<std::string>& options) const;

 private:
  Nvrtc();

  struct Api;
  const Api* api_ = nullptr;
  std::pair<int, int> version_{0, 0};
};

}  // namespace moetune
