#include "kernel/mma.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/lib/arguments.h"

namespace moetune {
namespace {

constexpr std::array<std::string_view, 6> kParameters{"BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K",
                                                      "GROUP_SIZE_M", "num_warps",    "num_stages"};

/// The widths of a stage's GEMM.
struct Shape {
  std::int64_t K, weight_rows, out_columns;
};

Shape shape_of(Stage stage, const Problem& p) {
  switch (epilogue_of(stage)) {
    case Epilogue::plain:
      return {p.K, p.N1, p.N1};
    case Epilogue::gated:
      return {p.K, p.N1, p.inner()};
    case Epilogue::final:
      return {p.inner(), p.N2, p.N2};
  }
  return {};
}

std::optional<std::string> why_invalid(const Config& config, Stage stage, const Problem& problem,
                                       const DeviceInfo& device) {
  for (const auto& [name, value] : config.values())
    if (std::find(kParameters.begin(), kParameters.end(), name) == kParameters.end())
      return fmt::format("the mma engine has no parameter {}", name);
  for (const std::string_view name : kParameters)
    if (!config.find(name)) return fmt::format("{} is missing", name);

  const mma::Config c = to_mma_config(config);
  if (const char* reason = mma::why_invalid(c)) return reason;
  if (device.backend != Backend::cuda || device.compute_capability < 80)
    return "the mma engine needs an NVIDIA GPU of compute capability 8.0 or later";
  const int shared = mma::smem_bytes(c);
  if (shared > device.shared_memory_per_block)
    return fmt::format("needs {} bytes of shared memory, a block has {}", shared, device.shared_memory_per_block);

  const Shape shape = shape_of(stage, problem);
  if (shape.weight_rows * shape.K > 0xffffffffll)
    return fmt::format("an expert's weights have {} elements, the kernel's offsets reach 2^32",
                       shape.weight_rows * shape.K);
  const std::int64_t columns = mma::out_columns(c, epilogue_of(stage));
  const std::int64_t tiles =
      tile_bound(problem.slots(), problem.E, c.block_m) * ((shape.out_columns + columns - 1) / columns);
  if (tiles > 0x7fffffffll) return fmt::format("makes {} tiles, a grid holds 2^31 - 1", tiles);
  return std::nullopt;
}

Config make(int m, int n, int k, int group, int warps, int stages) {
  return {{"BLOCK_SIZE_M", m},     {"BLOCK_SIZE_N", n},  {"BLOCK_SIZE_K", k},
          {"GROUP_SIZE_M", group}, {"num_warps", warps}, {"num_stages", stages}};
}

/// Few rows per expert: the weights' stream decides, so deep pipelines of narrow tiles, several blocks on an SM. Many
/// rows: arithmetic decides, so the widest tiles whose accumulators fit. Between them tiles as high as the rows there
/// are.
std::vector<Config> first_configs(Stage stage, const Problem& problem, const DeviceInfo& device) {
  const double experts = static_cast<double>(std::min(problem.E, problem.slots()));
  const double rows = static_cast<double>(problem.slots()) / experts;
  std::vector<Config> all;
  auto decode = [&](int m) {
    all.push_back(make(m, 64, 128, 1, 4, 4));
    all.push_back(make(m, 128, 128, 1, 4, 4));
    all.push_back(make(m, 32, 256, 1, 8, 4));
    all.push_back(make(m, 64, 256, 1, 8, 3));
    all.push_back(make(m, 64, 64, 1, 4, 6));
    all.push_back(make(m, 128, 64, 1, 4, 4));
    all.push_back(make(m, 32, 128, 1, 4, 6));
    all.push_back(make(m, 64, 128, 1, 4, 3));
    all.push_back(make(m, 128, 128, 1, 8, 3));
    all.push_back(make(m, 64, 256, 1, 8, 2));
    all.push_back(make(m, 256, 64, 1, 8, 4));
  };
  auto middle = [&](int m) {
    all.push_back(make(m, 128, 64, 1, 4, 4));
    all.push_back(make(m, 128, 64, 8, 4, 3));
    all.push_back(make(m, 256, 64, 1, 8, 3));
    all.push_back(make(m, 128, 128, 1, 4, 3));
    all.push_back(make(m, 256, 64, 8, 8, 4));
    all.push_back(make(m, 128, 64, 1, 8, 4));
    all.push_back(make(m, 128, 32, 8, 4, 5));
    all.push_back(make(m, 64, 128, 1, 4, 3));
  };
  auto prefill = [&] {
    all.push_back(make(128, 128, 64, 8, 4, 3));
    all.push_back(make(128, 256, 64, 8, 8, 4));
    all.push_back(make(128, 256, 64, 8, 8, 3));
    all.push_back(make(128, 128, 32, 8, 4, 4));
    all.push_back(make(128, 256, 32, 8, 8, 4));
    all.push_back(make(128, 128, 64, 16, 4, 2));
    all.push_back(make(256, 128, 64, 8, 8, 3));
    all.push_back(make(128, 128, 64, 8, 8, 3));
    all.push_back(make(64, 256, 64, 8, 8, 3));
    all.push_back(make(64, 128, 64, 8, 4, 4));
    all.push_back(make(128, 256, 32, 16, 8, 6));
  };
  if (rows <= 12) {
    decode(16);
    if (rows > 4) decode(32);
  } else if (rows <= 24) {
    decode(32);
    middle(32);
    decode(16);
  } else if (rows <= 96) {
    middle(64);
    if (rows <= 48) {
      decode(32);
    } else {
      middle(128);
    }
  } else {
    prefill();
    middle(64);
  }
  all.push_back(make(64, 64, 32, 8, 4, 2));  // runs wherever the engine does
  std::erase_if(all, [&](const Config& c) { return why_invalid(c, stage, problem, device).has_value(); });
  return all;
}

std::string_view macro_name(DType dtype) {
  return dtype == DType::bf16 ? "bf16" : "fp16";
}

}  // namespace

const Engine& mma_engine() {
  static constexpr Engine engine{.name = "mma",
                                 .backend = Backend::cuda,
                                 .summary = "mma.sync and cp.async, compute capability 8.0 and later",
                                 .parameters = kParameters,
                                 .why_invalid = why_invalid,
                                 .first_configs = first_configs};
  return engine;
}

mma::Config to_mma_config(const Config& config) {
  return {.block_m = config.at("BLOCK_SIZE_M"),
          .block_n = config.at("BLOCK_SIZE_N"),
          .block_k = config.at("BLOCK_SIZE_K"),
          .group_m = config.at("GROUP_SIZE_M"),
          .num_warps = config.at("num_warps"),
          .num_stages = config.at("num_stages")};
}

KernelPlan mma_kernel_plan(const Config& config, Stage stage, const Problem& problem, bool token_tiles) {
  const mma::Config c = to_mma_config(config);
  const Epilogue epilogue = epilogue_of(stage);
  const Shape shape = shape_of(stage, problem);
  const bool has_bias = epilogue == Epilogue::final ? problem.has_b2() : problem.has_b1();
  const std::string_view entry = epilogue == Epilogue::gated   ? "merged_moe_gate_kernel"
                                 : epilogue == Epilogue::final ? "merged_moe_final_kernel"
                                                               : "invoke_fused_moe_kernel";
  const std::string_view epilogue_name = epilogue == Epilogue::gated   ? "gated"
                                         : epilogue == Epilogue::final ? "final"
                                                                       : "plain";
  KernelPlan plan;
  plan.entry = entry;
  plan.threads = mma::num_threads(c);
  plan.shared_bytes = mma::smem_bytes(c);
  plan.source = {
      .path = "kernels/mma/kernel.cu",
      .defines = {fmt::format("BLOCK_SIZE_M={}", c.block_m), fmt::format("BLOCK_SIZE_N={}", c.block_n),
                  fmt::format("BLOCK_SIZE_K={}", c.block_k), fmt::format("NUM_WARPS={}", c.num_warps),
                  fmt::format("NUM_STAGES={}", c.num_stages), fmt::format("EPILOGUE={}", epilogue_name),
                  // Only the gated epilogue has an activation: the others share one kernel over all of them.
                  fmt::format("ACTIVATION={}", epilogue == Epilogue::gated ? to_string(problem.activation) : "silu"),
                  fmt::format("DTYPE={}", macro_name(problem.dtype)), fmt::format("HAS_BIAS={}", has_bias ? 1 : 0),
                  fmt::format("WEIGHT_ON_INPUT={}", problem.weight_on_input ? 1 : 0),
                  fmt::format("TOKEN_TILES={}", token_tiles ? 1 : 0),
                  fmt::format("EVEN_K={}", shape.K % c.block_k == 0 ? 1 : 0),
                  fmt::format("NARROW={}", shape.out_columns < mma::out_columns(c, epilogue) ? 1 : 0),
                  fmt::format("KERNEL_NAME={}", entry)}};
  return plan;
}

}  // namespace moetune
