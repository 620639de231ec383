#include "jit/compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <regex>
#include <thread>

#include "base/cache_directory.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/resources.h"
#include "jit/cubin_file.h"
#include "jit/nvrtc.h"

namespace moetune {

Result<int> read_assembler_report(const std::string& log) {
  int registers = 0;
  const auto numbers = [&](const char* pattern, auto visit) {
    const std::regex expression(pattern);
    for (std::sregex_iterator it(log.begin(), log.end(), expression), end; it != end; ++it)
      visit(std::stoi((*it)[1].str()));
  };
  int stack = 0, spilled = 0;
  numbers(R"((\d+) bytes stack frame)", [&](int value) { stack = std::max(stack, value); });
  numbers(R"((\d+) bytes spill stores)", [&](int value) { spilled = std::max(spilled, value); });
  numbers(R"(Used (\d+) registers)", [&](int value) { registers = std::max(registers, value); });
  if (spilled > 0) return Failure{Outcome::compile_error, fmt::format("spills {} bytes of registers", spilled)};
  if (stack > 0) return Failure{Outcome::compile_error, fmt::format("needs a stack frame of {} bytes", stack)};
  if (log.find("wgmma.mma_async instructions are serialized") != std::string::npos)
    return Failure{Outcome::compile_error, "wgmma instructions are serialized"};
  if (log.find("setmaxnreg ignored") != std::string::npos)
    return Failure{Outcome::compile_error, "the assembler ignores how registers are to be shared out"};
  return registers;
}

// wgmma and setmaxnreg belong to 9.0 alone, which is what the "a" stands for.
KernelCompiler::KernelCompiler(int compute_capability, std::shared_ptr<ProgramCompiler> compiler)
    : architecture_(fmt::format("sm_{}{}", compute_capability, compute_capability == 90 ? "a" : "")),
      compiler_(std::move(compiler)) {
  Digest digest;
  for (const Resource& each : resources())
    if (each.path.starts_with("kernels/")) digest.add(each.path).add(each.text);
  sources_digest_ = digest.hex();
}

Result<CompiledKernel> KernelCompiler::compile(const KernelSource& source) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(source); found != known_.end()) return found->second;
  }
  Result<CompiledKernel> result = compile_or_load(source);
  const std::lock_guard lock(mutex_);
  return known_.insert_or_assign(source, std::move(result)).first->second;
}

Result<CompiledKernel> KernelCompiler::compile_or_load(const KernelSource& source) {
  const Nvrtc& nvrtc = Nvrtc::instance();
  std::vector<std::string> options{
      fmt::format("--gpu-architecture={}", architecture_), "--std=c++20",
      "--device-as-default-execution-space",  // for the constexpr functions shared with the host
      "--ptxas-options=-v"};
  for (const std::string& define : source.defines) options.push_back("-D" + define);

  Digest digest;
  digest.add(sources_digest_).add(source.path).add(nvrtc.name());
  for (const std::string& option : options) digest.add(option);
  const CubinFile file(cache_directory() / "kernels" / (digest.hex() + ".cubin"));

  std::optional<CubinFile::Content> stored = file.read();
  if (!stored) {
    const std::optional<Failure> failure =
        compiler_->compile({.source = source.path, .options = options, .into = file});
    {
      const std::lock_guard lock(mutex_);
      compiled_++;
    }
    if (failure) return *failure;
    stored = file.read();
    if (!stored) throw Error(fmt::format("'{}' went away while it was being written", file.path().string()));
  }
  const auto registers = read_assembler_report(stored->log);
  if (!registers) return registers.failure();
  return CompiledKernel{.cubin = std::move(stored->cubin), .registers = registers.value()};
}

void KernelCompiler::compile_all(std::span<const KernelSource> sources, int threads,
                                 const std::function<void()>& done) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto work = [&] {
    for (std::size_t i; (i = next++) < sources.size();) {
      try {
        compile(sources[i]);
        if (done) done();
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        return;
      }
    }
  };
  std::vector<std::thread> workers;
  const int count = std::min<int>(std::max(threads, 1), static_cast<int>(sources.size()));
  for (int i = 1; i < count; i++) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace moetune
