#include "jit/program_compiler.h"

#include <algorithm>

#include "base/resources.h"
#include "jit/nvrtc.h"

namespace moetune {
namespace {

std::vector<std::pair<std::string, std::string>> kernel_headers() {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const Resource& each : resources())
    if (each.path.starts_with("kernels/") && !each.path.ends_with(".cu"))
      headers.emplace_back(std::string(each.path), std::string(each.text));
  return headers;
}

/// The one line of a compiler's output that a record has room for.
std::string first_error(const std::string& log) {
  for (std::size_t begin = 0; begin < log.size();) {
    const std::size_t end = std::min(log.find('\n', begin), log.size());
    const std::string line = log.substr(begin, end - begin);
    if (line.find("error") != std::string::npos) return line.substr(0, 300);
    begin = end + 1;
  }
  return log.substr(0, 300);
}

class Here final : public ProgramCompiler {
 public:
  std::optional<Failure> compile(const CompileJob& job) override {
    static const auto headers = kernel_headers();
    const auto program = Nvrtc::instance().compile(std::string(resource(job.source)), job.source, headers, job.options);
    if (!program) return Failure{Outcome::compile_error, first_error(program.failure().reason)};
    job.into.write({.log = program.value().log, .cubin = program.value().cubin});
    return std::nullopt;
  }
};

}  // namespace

std::shared_ptr<ProgramCompiler> compile_here() {
  return std::make_shared<Here>();
}

}  // namespace moetune
