#include "jit/compile_pool.h"

#include <cstdlib>
#include <set>
#include <thread>

#include "base/error.h"
#include "jit/compiler.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

/// Compilers in processes of their own, with a library that does what a define says.
class Pool : public testing::Test {
 protected:
  Pool() {
    setenv("MOETUNE_CACHE_DIR", folder_.path().c_str(), 1);
    setenv("MOETUNE_NVRTC", MOETUNE_FAKE_NVRTC, 1);
  }
  ~Pool() override {
    unsetenv("MOETUNE_CACHE_DIR");
    unsetenv("MOETUNE_NVRTC");
  }

  static std::shared_ptr<CompilePool> pool(std::size_t size, double seconds = 30) {
    return std::make_shared<CompilePool>(std::vector<std::string>{MOETUNE_BINARY, std::string(kCompileJobsArgument)},
                                         size, seconds);
  }
  static KernelSource source(std::string define) {
    return {.path = "kernels/elementwise/kernel.cu", .defines = {std::move(define)}};
  }
  static std::string text(const CompiledKernel& kernel) { return {kernel.cubin.begin(), kernel.cubin.end()}; }
  /// "compiled by 1234"
  static std::string by(const Result<CompiledKernel>& kernel) {
    return text(kernel.value()).substr(0, text(kernel.value()).find(':'));
  }

  TemporaryFolder folder_;
};

TEST_F(Pool, CompilesElsewhereIntoTheCache) {
  KernelCompiler compiler(90, pool(1));
  const auto first = compiler.compile(source("A")), second = compiler.compile(source("B"));
  ASSERT_TRUE(first && second);
  EXPECT_NE(text(first.value()).find("-DA"), std::string::npos);
  EXPECT_NE(text(first.value()).find("sm_90a"), std::string::npos);
  EXPECT_EQ(first.value().registers, 42);
  EXPECT_NE(by(first), "compiled by " + std::to_string(getpid()));
  EXPECT_EQ(by(first), by(second)) << "the process stays";
  EXPECT_EQ(compiler.compiled(), 2);

  KernelCompiler later(90, pool(1));
  EXPECT_EQ(later.compile(source("A")).value(), first.value());
  EXPECT_EQ(later.compiled(), 0);
}

TEST_F(Pool, WhatDoesNotCompileSaysWhy) {
  KernelCompiler compiler(90, pool(1));
  const auto refused = compiler.compile(source("REFUSE"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().outcome, Outcome::compile_error);
  EXPECT_NE(refused.failure().reason.find("error: planted"), std::string::npos) << refused.failure().reason;
}

TEST_F(Pool, ACompilerThatDiesCostsItsKernelAndIsReplaced) {
  KernelCompiler compiler(90, pool(1));
  const auto before = compiler.compile(source("A"));
  const auto crashed = compiler.compile(source("CRASH"));
  ASSERT_FALSE(crashed);
  EXPECT_EQ(crashed.failure().outcome, Outcome::compile_error);
  EXPECT_NE(crashed.failure().reason.find("the compiler died of signal 11"), std::string::npos);
  const auto after = compiler.compile(source("B"));
  ASSERT_TRUE(after);
  EXPECT_NE(by(before), by(after));
}

TEST_F(Pool, ACompilerThatHangsIsEnded) {
  KernelCompiler compiler(90, pool(1, 0.2));
  const auto hung = compiler.compile(source("HANG"));
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.failure(), (Failure{Outcome::compile_error, "the compiler took more than 0.2 s"}));
}

TEST_F(Pool, SeveralCompileAtATimeAndNoneOfThemStopsTheOthers) {
  KernelCompiler compiler(90, pool(3, 5));
  std::vector<KernelSource> sources{source("CRASH"), source("REFUSE")};
  for (int i = 0; i < 40; ++i) sources.push_back(source("N=" + std::to_string(i)));
  std::atomic<int> done{0};
  compiler.compile_all(sources, 6, [&] { ++done; });
  EXPECT_EQ(done, 42);
  std::set<std::string> processes;
  for (std::size_t i = 2; i < sources.size(); ++i) processes.insert(by(compiler.compile(sources[i])));
  EXPECT_LE(processes.size(), 4u);  // three, and one that replaced what crashed
}

TEST_F(Pool, ACacheThatCannotBeWrittenIsAnError) {
  write_text(folder_ / "kernels", "a file");
  KernelCompiler compiler(90, pool(1));
  EXPECT_ERROR(compiler.compile(source("A")), "is a file, not a folder");
}

TEST_F(Pool, AProgramThatCannotBeStartedIsNamed) {
  KernelCompiler compiler(90, std::make_shared<CompilePool>(std::vector<std::string>{"/nowhere"}, 1, 1.0));
  EXPECT_ERROR(compiler.compile(source("A")), "cannot run '/nowhere'");
  EXPECT_ERROR(compiler.compile(source("A")), "cannot run '/nowhere'");  // and its place in the pool is free again
}

}  // namespace
}  // namespace moetune
