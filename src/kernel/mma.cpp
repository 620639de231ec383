#include "kernel/mma.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernel/grouped_gemm.h"
#include "kernels/lib/arguments.h"
#include "kernels/mma/traits.h"
#include "problem/work.h"

namespace moetune {
namespace {

constexpr std::array<std::string_view, 6> kParameters{"BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K",
                                                      "GROUP_SIZE_M", "num_warps",    "num_stages"};

mma::Config to_mma_config(const Config& config) {
  return {.block_m = config.at("BLOCK_SIZE_M"),
          .block_n = config.at("BLOCK_SIZE_N"),
          .block_k = config.at("BLOCK_SIZE_K"),
          .group_m = config.at("GROUP_SIZE_M"),
          .num_warps = config.at("num_warps"),
          .num_stages = config.at("num_stages")};
}

std::optional<std::string> why_invalid(const Config& config, Stage stage, const Problem& problem,
                                       const DeviceInfo& device) {
  if (const auto reason = why_parameters_differ("mma", kParameters, config)) return reason;
  if (stage == Stage::mlp) return "the mma engine has no kernel of both GEMMs";
  const mma::Config c = to_mma_config(config);
  if (const char* reason = mma::why_invalid(c)) return reason;
  if (!runs_on(mma_engine(), device)) return "the mma engine needs an NVIDIA GPU of compute capability 8.0 or later";
  const int shared = mma::smem_bytes(c);
  if (shared > device.shared_memory_per_block)
    return fmt::format("needs {} bytes of shared memory, a block has {}", shared, device.shared_memory_per_block);

  const GemmShape shape = gemm_shape(stage, problem);
  if (shape.weight_rows * shape.K > 0xffffffffll)
    return fmt::format("an expert's weights have {} elements, the kernel's offsets reach 2^32",
                       shape.weight_rows * shape.K);
  const std::int64_t tiles = tile_bound(problem.slots(), problem.E, c.block_m) *
                             column_tiles(stage, problem, mma::out_columns(c, epilogue_of(stage)));
  if (tiles > 0x7fffffffll) return fmt::format("makes {} tiles, a grid holds 2^31 - 1", tiles);
  return std::nullopt;
}

Config make(int m, int n, int k, int group, int warps, int stages) {
  return {{"BLOCK_SIZE_M", m},     {"BLOCK_SIZE_N", n},  {"BLOCK_SIZE_K", k},
          {"GROUP_SIZE_M", group}, {"num_warps", warps}, {"num_stages", stages}};
}

/// Its tiles have a topk-th of the columns each, and the winners of searches (H200, qwen3-30b-a3b, M = 2 and 4) are
/// wider than those of one token.
bool sums_several_tokens(Stage stage, const Problem& problem) {
  return stage == Stage::final && problem.M > 1 && uses_token_tiles(problem);
}

KernelPlan kernel_plan(const Config& config, Stage stage, const Problem& problem, bool token_tiles);

/// Blocks, of a tile each, that a GEMM of few rows per expert has.
double blocks_of(const KernelPlan& plan, Stage stage, const Problem& problem) {
  const double row_tiles = uses_token_tiles(problem)
                               ? static_cast<double>(problem.slots() / std::max(plan.summed_slots, 1))
                               : even_load(problem).experts_hit;
  return row_tiles * static_cast<double>(column_tiles(stage, problem, plan.columns));
}

/// Stages of tiles of m x 64 x 128. Where the blocks are no more than a few times what the device has room for, as many
/// as let them fill its last round: of gpt-oss-120b's gate GEMM at M = 1 360 blocks take 2 rounds with 4 stages, in
/// which 264 run at once, and 1 with 3 (H200, whole pipeline 59.1 -> 53.4 us); of mixtral-8x7b's final GEMM there all
/// 128 run with 8 stages too (178.0 -> 168.5 us, with another gate). Elsewhere 4, or 3 of higher tiles, the best of
/// searches.
int narrow_tiles_stages(int m, Stage stage, const Problem& problem, const DeviceInfo& device) {
  constexpr double kFewRounds = 3, kGain = 1.1;
  int best = 4;
  double best_fill = 0;
  for (const int stages : {4, 3, 8, 6, 5}) {
    const KernelPlan plan = kernel_plan(make(m, 64, 128, 1, 4, stages), stage, problem, uses_token_tiles(problem));
    if (plan.shared_bytes > device.shared_memory_per_block) continue;
    const double rounds = blocks_of(plan, stage, problem) /
                          static_cast<double>(std::max(device.multiprocessors, 1) * resident_blocks(plan, device));
    if (stages == 4 && rounds > kFewRounds) return m > 16 ? 3 : 4;
    const double fill = rounds / std::ceil(rounds);
    if (fill > kGain * best_fill) {
      best = stages;
      best_fill = fill;
    }
  }
  return best;
}

/// Few rows per expert: the weights' stream decides, so deep pipelines of narrow tiles, several blocks on an SM. Many
/// rows: arithmetic decides, so the widest tiles whose accumulators fit. Between them tiles as high as the rows there
/// are.
std::vector<Config> first_configs(Stage stage, const Problem& problem, const DeviceInfo& device) {
  if (stage == Stage::mlp) return {};
  const double rows = rows_per_expert(problem);
  std::vector<Config> all;
  auto decode = [&](int m) {
    // Narrower tiles do not hold so many slots.
    if (stage == Stage::final && uses_token_tiles(problem) && problem.topk > 8) {
      all.push_back(make(m, 128, 64, 1, 4, 6));
      all.push_back(make(m, 128, 128, 1, 4, 4));
    }
    if (sums_several_tokens(stage, problem)) {
      all.push_back(make(m, 128, 128, 1, 8, 3));
      all.push_back(make(m, 128, 64, 1, 4, 3));
    }
    // Where K has few blocks of 128, the second GEMM's tiles are better deep in stages than in K (H200, qwen3-30b-a3b,
    // K = 768: M = 1 25.5 -> 24.5 us, M = 2 42.3 -> 41.1, whole pipelines).
    const bool has_short_k = stage == Stage::final && uses_token_tiles(problem) && problem.inner() < 1024;
    if (has_short_k && problem.M == 1) all.push_back(make(m, 64, 64, 1, 4, 8));
    all.push_back(make(m, 64, 128, 1, 4, narrow_tiles_stages(m, stage, problem, device)));
    // In a gate GEMM it won at M = 2 (39.7 us, 40.0 with the best of the others).
    if (has_short_k || (stage != Stage::final && uses_token_tiles(problem) && problem.M > 1))
      all.push_back(make(m, 64, 64, 1, 4, 5));
    all.push_back(make(m, 64, 128, 1, 4, 4));
    all.push_back(make(m, 64, 128, 1, 4, 5));  // of as many blocks at once (olmoe-1b-7b, M = 1: 29.7 -> 29.0 us)
    all.push_back(make(m, 128, 128, 1, 4, 4));
    all.push_back(make(m, 32, 256, 1, 8, 4));
    all.push_back(make(m, 64, 256, 1, 8, 3));
    all.push_back(make(m, 64, 64, 1, 4, 6));
    all.push_back(make(m, 128, 64, 1, 4, 4));
    all.push_back(make(m, 32, 128, 1, 4, 6));
    all.push_back(make(m, 64, 128, 1, 4, 3));
    all.push_back(make(m, 128, 128, 1, 4, 3));  // a gate GEMM that won at M = 2 (39.3 us, 40.0 otherwise)
    if (!sums_several_tokens(stage, problem)) all.push_back(make(m, 128, 128, 1, 8, 3));
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
  return legal_and_different(std::move(all),
                             [&](const Config& config) { return !why_invalid(config, stage, problem, device); });
}

KernelPlan kernel_plan(const Config& config, Stage stage, const Problem& problem, bool token_tiles) {
  const mma::Config c = to_mma_config(config);
  const GemmShape shape = gemm_shape(stage, problem);
  const int shares = stage == Stage::final && token_tiles ? mma::shares_of(c, problem.topk) : 0;
  const int slots = shares > 0 ? static_cast<int>(problem.topk) : 0;
  const int columns = mma::out_columns(c, epilogue_of(stage)) / std::max(shares, 1);
  KernelPlan plan{.source = {.path = "kernels/mma/kernel.cu", .defines = gemm_defines(stage, problem, token_tiles)},
                  .entry = gemm_kernel_name(stage),
                  .threads = mma::num_threads(c),
                  .shared_bytes = mma::smem_bytes(c),
                  .block_m = c.block_m,
                  .columns = columns,
                  .group_m = c.group_m,
                  .summed_slots = slots};
  for (std::string define :
       {fmt::format("BLOCK_SIZE_M={}", c.block_m), fmt::format("BLOCK_SIZE_N={}", c.block_n),
        fmt::format("BLOCK_SIZE_K={}", c.block_k), fmt::format("NUM_WARPS={}", c.num_warps),
        fmt::format("NUM_STAGES={}", c.num_stages), fmt::format("EVEN_K={}", shape.K % c.block_k == 0 ? 1 : 0),
        fmt::format("NARROW={}", shape.out_columns < columns ? 1 : 0), fmt::format("SUMMED_SLOTS={}", slots)})
    plan.source.defines.push_back(std::move(define));
  return plan;
}

}  // namespace

const Engine& mma_engine() {
  static constexpr Engine engine{.name = "mma",
                                 .backend = Backend::cuda,
                                 .summary = "mma.sync and cp.async, compute capability 8.0 and later",
                                 .parameters = kParameters,
                                 .why_invalid = why_invalid,
                                 .first_configs = first_configs,
                                 .kernel_plan = kernel_plan,
                                 .oldest_capability = 80,
                                 .best_rows = {0, 24}};
  return engine;
}

}  // namespace moetune
