#include "jit/compiler.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "gpu/tested_configs.h"
#include "jit/nvrtc.h"
#include "kernel/h200.h"
#include "kernel/mma.h"
#include "kernel/mma_config.h"
#include "kernel/wgmma.h"
#include "kernel/wgmma_config.h"
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

std::vector<KernelSource> distinct(std::vector<KernelSource> sources) {
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  return sources;
}

/// A cache of the test's own.
class Compiler : public testing::Test {
 protected:
  Compiler() { setenv("MOETUNE_CACHE_DIR", folder_.path().c_str(), 1); }
  ~Compiler() override { unsetenv("MOETUNE_CACHE_DIR"); }
  void SetUp() override {
    if (!has_nvrtc()) GTEST_SKIP() << "needs NVRTC (a CUDA toolkit, no GPU)";
  }

  static void expect_no_spills(int architecture, const std::vector<KernelSource>& sources) {
    KernelCompiler compiler(architecture);
    std::atomic<int> done{0};
    compiler.compile_all(sources, static_cast<int>(std::thread::hardware_concurrency()), [&] { done++; });
    EXPECT_EQ(done, static_cast<int>(sources.size()));
    for (const KernelSource& source : sources) {
      const auto kernel = compiler.compile(source);
      std::string defines;
      for (const std::string& define : source.defines) defines += " " + define;
      EXPECT_TRUE(kernel) << "sm_" << architecture << " " << source.path << defines << ": " << kernel.failure().reason;
    }
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

/// Every kernel of the portable engine and around it × stage × dtype × activation × bias, for each architecture that is
/// a target; configs of every kind take turns, all of them with the first type and activation.
TEST_F(Compiler, EveryPortableKernelCompilesWithoutSpills) {
  const std::vector<Config> configs{mma_config(16, 64, 128, 1, 4, 4), mma_config(64, 64, 32, 8, 4, 2),
                                    mma_config(128, 256, 64, 8, 8, 3), mma_config(128, 128, 64, 8, 4, 3)};
  std::vector<KernelSource> sources{{.path = "kernels/routing/kernel.cu", .defines = {}},
                                    {.path = "kernels/data/kernel.cu", .defines = {}}};
  std::size_t turn = 0;
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
      const bool all_configs = dtype == DType::bf16 && activation == Activation::silu;
      for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) {
        for (std::size_t i = 0; i < configs.size(); i++) {
          if (!all_configs && i != turn % configs.size()) continue;
          sources.push_back(mma_engine().kernel_plan(configs[i], stage, problem, i == 0).source);
        }
        turn++;
      }
    }
  sources = distinct(std::move(sources));
  expect_no_spills(90, sources);
  // The older target gets every fifth kernel: what can differ is the instructions, and those each of them has.
  std::vector<KernelSource> every_fifth;
  for (std::size_t i = 0; i < sources.size(); i += 5) every_fifth.push_back(sources[i]);
  expect_no_spills(80, every_fifth);
}

/// Instructions of sm_90 in a cubin's code that copy to shared memory with the address in a uniform register (LDGSTS
/// [R+UR], 16 bytes each, the operation in their lowest 12 bits).
int uniform_copies(const std::vector<char>& cubin) {
  constexpr std::uint64_t kUniformCopy = 0xdae;
  Elf64_Ehdr header;
  std::memcpy(&header, cubin.data(), sizeof header);
  int copies = 0;
  for (int i = 0; i < header.e_shnum; i++) {
    Elf64_Shdr section;
    std::memcpy(&section, cubin.data() + header.e_shoff + static_cast<std::size_t>(i) * sizeof section, sizeof section);
    if (section.sh_type != SHT_PROGBITS || !(section.sh_flags & SHF_EXECINSTR)) continue;
    for (std::uint64_t at = 0; at + 16 <= section.sh_size; at += 16) {
      std::uint64_t low = 0;
      std::memcpy(&low, cubin.data() + section.sh_offset + at, sizeof low);
      if ((low & 0xfff) == kUniformCopy) copies++;
    }
  }
  return copies;
}

/// Of the portable engine's copies with a policy for the L2, ptxas 13.0 gave such ones a register that there is not
/// (desc[UR1]): an illegal instruction on an H200, with these configs and others. See Loader::zero().
TEST_F(Compiler, CopiesWithAPolicyHaveNoUniformAddress) {
  const Problem many{.M = 512, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
  Problem few = many;
  few.M = 4;
  std::vector<KernelSource> sources;
  for (const Stage stage : {Stage::gemm1, Stage::final})
    sources.push_back(mma_engine().kernel_plan(mma_config(64, 256, 64, 1, 4, 4), stage, many, false).source);
  sources.push_back(mma_engine().kernel_plan(mma_config(32, 256, 64, 1, 4, 4), Stage::final, many, false).source);
  sources.push_back(mma_engine().kernel_plan(mma_config(16, 64, 64, 1, 4, 2), Stage::gate, many, false).source);
  sources.push_back(mma_engine().kernel_plan(mma_config(32, 64, 64, 1, 4, 2), Stage::final, few, true).source);
  expect_no_spills(90, sources);
  KernelCompiler compiler(90);
  for (const KernelSource& source : sources) {
    const auto kernel = compiler.compile(source);
    ASSERT_TRUE(kernel);
    EXPECT_EQ(uniform_copies(kernel.value().cubin), 0) << testing::PrintToString(source.defines);
  }
}

/// A kernel of the Hopper engines, with the registers that a thread must begin with: 0 where it does not matter.
struct HopperKernel {
  KernelSource source;
  int registers;
};
HopperKernel hopper_kernel(const Engine& engine, const Config& config, Stage stage, const Problem& problem,
                           bool token_tiles) {
  const wgmma::Config traits = wgmma_kernel_config(config, engine.name == wgmma_swap_ab_engine().name);
  const wgmma::Gemms gemms = stage == Stage::mlp ? wgmma::Gemms::both : wgmma::gemms_of(epilogue_of(stage));
  return {engine.kernel_plan(config, stage, problem, token_tiles).source,
          wgmma::moves_registers(traits, gemms) ? wgmma::launch_registers(traits) : 0};
}

std::vector<KernelSource> sources_of(const std::vector<HopperKernel>& kernels) {
  std::vector<KernelSource> sources;
  for (const HopperKernel& kernel : kernels) sources.push_back(kernel.source);
  return distinct(std::move(sources));
}

/// Warpgroups that take registers wait for those that others give up. Were a thread to begin with fewer than the
/// traits say, there would never be enough of them.
void expect_registers(const std::vector<HopperKernel>& kernels) {
  KernelCompiler compiler(90);
  for (const HopperKernel& kernel : kernels)
    if (const auto compiled = compiler.compile(kernel.source); compiled && kernel.registers > 0) {
      std::string defines;
      for (const std::string& define : kernel.source.defines) defines += " " + define;
      EXPECT_EQ(compiled.value().registers, kernel.registers) << defines;
    }
}

/// Both engines × stage × activation, bias and routing weight, of one dtype all and of the other every second; the
/// configs take turns.
TEST_F(Compiler, EveryHopperKernelCompilesWithoutSpills) {
  const std::vector<Config> wgmma{
      wgmma_config(128, 256, 64, 4, 2),
      with(wgmma_config(64, 128, 64, 4, 1), {{"blocks_per_sm", 2}, {"evict_first", 1}, {"dynamic", 1}}),
      with(wgmma_config(128, 256, 64, 4, 2), {{"CLUSTER_SIZE_M", 2}, {"permute_tokens", 1}}),
      wgmma_config(192, 128, 64, 4, 3), with(wgmma_config(128, 192, 64, 4, 2), {{"SPLIT_K", 2}})};
  const std::vector<Config> swapped{
      with(wgmma_config(8, 64, 128, 6, 1), {{"blocks_per_sm", 2}, {"evict_first", 1}, {"dynamic", 1}}),
      wgmma_config(16, 256, 64, 4, 1),
      wgmma_config(32, 128, 256, 2, 2),
      wgmma_config(96, 256, 64, 3, 2),
      with(wgmma_config(128, 128, 64, 3, 2), {{"CLUSTER_SIZE_M", 2}, {"permute_tokens", 1}}),
      wgmma_config(160, 256, 64, 4, 2),
      wgmma_config(192, 192, 64, 4, 3)};
  const auto for_stage = [](Stage stage, const Config& config) {
    return stage == Stage::final ? with(config, {{"permute_tokens", 0}}) : config;
  };
  const auto for_both = [](const Config& config) {
    return with(config, {{"CLUSTER_SIZE_M", 1}, {"dynamic", 0}, {"permute_tokens", 0}, {"SPLIT_K", 1}});
  };
  struct Variety {
    Activation activation;
    Bias bias;
    bool weight_on_input;
  };
  const Variety varieties[] = {{Activation::silu, Bias::none, false},
                               {Activation::gelu, Bias::none, true},
                               {Activation::gelu_tanh, Bias::both, true},
                               {Activation::swigluoai, Bias::both, false}};
  std::vector<HopperKernel> kernels;
  std::size_t turn = 0;
  for (const DType dtype : {DType::bf16, DType::fp16})
    for (std::size_t v = 0; v < std::size(varieties); v += dtype == DType::bf16 ? 1 : 2) {
      const Variety& variety = varieties[v];
      const Problem problem{.M = 64,
                            .K = 256,
                            .N1 = 512,
                            .N2 = 256,
                            .E = 8,
                            .topk = 2,
                            .dtype = dtype,
                            .activation = variety.activation,
                            .bias = variety.bias,
                            .weight_on_input = variety.weight_on_input};
      for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) {
        const std::size_t i = turn++ % wgmma.size();
        kernels.push_back(hopper_kernel(wgmma_engine(), for_stage(stage, wgmma[i]), stage, problem, i == 1));
        kernels.push_back(hopper_kernel(wgmma_swap_ab_engine(), for_stage(stage, swapped[i]), stage, problem, i == 0));
      }
      const std::size_t i = turn % wgmma.size();
      kernels.push_back(hopper_kernel(wgmma_engine(), for_both(wgmma[i]), Stage::mlp, problem, i == 1));
      kernels.push_back(hopper_kernel(wgmma_swap_ab_engine(), for_both(swapped[i]), Stage::mlp, problem, i == 0));
    }
  expect_no_spills(90, sources_of(kernels));
  expect_registers(kernels);
}

/// The fused sum waits for as many rows as a token has here, or adds each; with tiles from the table and from topk_ids.
TEST_F(Compiler, FusedSumsCompileWithoutSpills) {
  const Problem problem{.M = 64, .K = 256, .N1 = 512, .N2 = 256, .E = 8, .topk = 2};
  std::vector<HopperKernel> kernels;
  for (const bool token_tiles : {false, true}) {
    for (const Config& config :
         {wgmma_config(128, 256, 64, 4, 2), with(wgmma_config(64, 128, 64, 4, 1), {{"dynamic", 1}})})
      kernels.push_back(
          hopper_kernel(wgmma_engine(), with(config, {{"fuse_combine", 1}}), Stage::final, problem, token_tiles));
    for (const Config& config : {wgmma_config(16, 256, 64, 4, 1), wgmma_config(160, 256, 64, 3, 2)})
      kernels.push_back(hopper_kernel(wgmma_swap_ab_engine(), with(config, {{"fuse_combine", 1}}), Stage::final,
                                      problem, token_tiles));
    kernels.push_back(hopper_kernel(wgmma_engine(), with(wgmma_config(128, 256, 64, 4, 2), {{"fuse_combine", 2}}),
                                    Stage::final, problem, token_tiles));
    for (const Config& config : {wgmma_config(16, 256, 64, 4, 1), wgmma_config(160, 256, 64, 4, 2)})
      kernels.push_back(hopper_kernel(wgmma_swap_ab_engine(), with(config, {{"fuse_combine", 2}}), Stage::final,
                                      problem, token_tiles));
  }
  expect_no_spills(90, sources_of(kernels));
  expect_registers(kernels);
}

/// Tiles that go out from the registers: all rows of one are unrolled.
TEST_F(Compiler, SwappedTilesBetweenTheMultiplesOf32CompileWithoutSpills) {
  const Problem problem{.M = 64, .K = 256, .N1 = 512, .N2 = 256, .E = 8, .topk = 2};
  std::vector<HopperKernel> kernels;
  for (const int block_m : {48, 80, 112})
    for (const Stage stage : {Stage::gate, Stage::final})
      kernels.push_back(hopper_kernel(wgmma_swap_ab_engine(),
                                      with(wgmma_config(block_m, 128, 64, 3, 1), {{"blocks_per_sm", 2}}), stage,
                                      problem, false));
  expect_no_spills(90, sources_of(kernels));
  expect_registers(kernels);
}

// A GPU is seldom at hand, and what does not compile is refused there.
TEST_F(Compiler, WhatTheGpuTestsRunOnHopperCompilesWithoutSpills) {
  const Problem problem{.M = 33, .K = 256, .N1 = 384, .N2 = 256, .E = 8, .topk = 2};
  std::vector<HopperKernel> kernels;
  for (const StageConfig& config : tested_configs(true))
    for (const Stage stage : {Stage::gate, Stage::final})
      if (const Engine& engine = find_engine(config.engine); engine.name != mma_engine().name)
        kernels.push_back(hopper_kernel(engine, for_stage(stage, config).config, stage, problem, false));
  expect_no_spills(90, sources_of(kernels));
  expect_registers(kernels);
}

/// A guess that does not compile is a trial lost. M = 1 runs without routing. Stages take turns, but for the gate with
/// many tokens, whose wide tiles come near the limit.
TEST_F(Compiler, FirstGuessesOnHopperCompileWithoutSpills) {
  const Stage stages[] = {Stage::gemm1, Stage::gate, Stage::final};
  std::vector<HopperKernel> kernels;
  for (const std::int64_t M : {1, 256, 4096}) {
    const Problem problem{.M = M, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
    for (const Engine* engine : {&wgmma_engine(), &wgmma_swap_ab_engine()})
      for (std::size_t s = 0; s < std::size(stages); s++) {
        const auto guesses = engine->first_configs(stages[s], problem, kH200);
        for (std::size_t i = 0; i < guesses.size(); i++)
          if ((M == 4096 && stages[s] == Stage::gate) || i % std::size(stages) == s)
            kernels.push_back(hopper_kernel(*engine, guesses[i], stages[s], problem, M == 1));
      }
  }
  expect_no_spills(90, sources_of(kernels));
  expect_registers(kernels);
}

}  // namespace
}  // namespace moetune
