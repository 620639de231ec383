#include "jit/compiler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "jit/nvrtc.h"
#include "kernel/mma.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

bool has_nvrtc() {
  try {
    Nvrtc::instance();
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// A cache of the test's own.
class Compiler : public testing::Test {
 protected:
  Compiler() { setenv("MOETUNE_CACHE_DIR", folder_.path().c_str(), 1); }
  ~Compiler() override { unsetenv("MOETUNE_CACHE_DIR"); }
  void SetUp() override {
    if (!has_nvrtc()) GTEST_SKIP() << "needs NVRTC (a CUDA toolkit, no GPU)";
  }
  TemporaryFolder folder_;
};

TEST(AssemblerReport, ReadsRegistersAndRejectsSlowKernels) {
  const std::string good =
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\nptxas info    : Used 72 registers, used 1 "
      "barriers";
  ASSERT_TRUE(read_assembler_report(good));
  EXPECT_EQ(read_assembler_report(good).value(), 72);
  EXPECT_FALSE(read_assembler_report("0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads"));
  EXPECT_FALSE(read_assembler_report("16 bytes stack frame, 0 bytes spill stores"));
  EXPECT_FALSE(
      read_assembler_report("(C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to"));
}

TEST_F(Compiler, KeepsKernelsOnDisk) {
  const KernelSource source{.path = "kernels/data/kernel.cu", .defines = {}};
  KernelCompiler first(90);
  const auto compiled = first.compile(source);
  ASSERT_TRUE(compiled) << compiled.failure().reason;
  EXPECT_EQ(first.compiled(), 1);
  EXPECT_GT(compiled.value().registers, 0);
  first.compile(source);
  EXPECT_EQ(first.compiled(), 1);

  KernelCompiler second(90);
  const auto loaded = second.compile(source);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(second.compiled(), 0);
  EXPECT_EQ(loaded.value(), compiled.value());

  KernelCompiler other_architecture(80);
  other_architecture.compile(source);
  EXPECT_EQ(other_architecture.compiled(), 1);
}

TEST_F(Compiler, AFailureIsAResultWithTheCompilersWords) {
  KernelCompiler compiler(90);
  const auto result = compiler.compile({.path = "kernels/mma/kernel.cu", .defines = {"BLOCK_SIZE_M=17"}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.failure().outcome, Outcome::compile_error);
  EXPECT_NE(result.failure().reason.find("error"), std::string::npos);
}

/// Every engine × stage × dtype × activation × bias on configs of every kind, for each architecture that is a target.
TEST_F(Compiler, EveryKernelCompilesWithoutSpills) {
  const std::vector<Config> configs{{{"BLOCK_SIZE_M", 16},
                                     {"BLOCK_SIZE_N", 64},
                                     {"BLOCK_SIZE_K", 128},
                                     {"GROUP_SIZE_M", 1},
                                     {"num_warps", 4},
                                     {"num_stages", 4}},
                                    {{"BLOCK_SIZE_M", 64},
                                     {"BLOCK_SIZE_N", 64},
                                     {"BLOCK_SIZE_K", 32},
                                     {"GROUP_SIZE_M", 8},
                                     {"num_warps", 4},
                                     {"num_stages", 2}},
                                    {{"BLOCK_SIZE_M", 128},
                                     {"BLOCK_SIZE_N", 256},
                                     {"BLOCK_SIZE_K", 64},
                                     {"GROUP_SIZE_M", 8},
                                     {"num_warps", 8},
                                     {"num_stages", 3}}};
  std::vector<KernelSource> sources{{.path = "kernels/routing/kernel.cu", .defines = {}},
                                    {.path = "kernels/data/kernel.cu", .defines = {}}};
  for (const DType dtype : {DType::bf16, DType::fp16})
    for (const Activation activation :
         {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::swigluoai}) {
      Problem problem{
          .M = 64, .K = 256, .N1 = 512, .N2 = 256, .E = 8, .topk = 2, .dtype = dtype, .activation = activation};
      problem.bias = activation == Activation::swigluoai ? Bias::both : Bias::none;
      problem.weight_on_input = activation == Activation::gelu;
      sources.push_back(
          {.path = "kernels/elementwise/kernel.cu",
           .defines = {"DTYPE=" + std::string(to_string(dtype)), "ACTIVATION=" + std::string(to_string(activation))}});
      for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final})
        for (std::size_t i = 0; i < configs.size(); i++)
          sources.push_back(mma_kernel_plan(configs[i], stage, problem, i == 0).source);
    }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());

  for (const int architecture : {90, 80}) {
    KernelCompiler compiler(architecture);
    std::atomic<int> done{0};
    // The older target gets every fifth kernel: what can differ is the instructions, and those each of them has.
    std::vector<KernelSource> chosen;
    for (std::size_t i = 0; i < sources.size(); i += architecture == 90 ? 1 : 5) chosen.push_back(sources[i]);
    compiler.compile_all(chosen, static_cast<int>(std::thread::hardware_concurrency()), [&] { done++; });
    EXPECT_EQ(done, static_cast<int>(chosen.size()));
    for (const KernelSource& source : chosen) {
      const auto kernel = compiler.compile(source);
      std::string defines;
      for (const std::string& define : source.defines) defines += " " + define;
      EXPECT_TRUE(kernel) << "sm_" << architecture << " " << source.path << defines << ": " << kernel.failure().reason;
    }
  }
}

}  // namespace
}  // namespace moetune
