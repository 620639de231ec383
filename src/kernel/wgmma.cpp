#include "kernel/wgmma.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernel/grouped_gemm.h"
#include "kernels/lib/arguments.h"
#include "kernels/wgmma/traits.h"
#include "problem/work.h"

namespace moetune {
namespace {

constexpr std::array<std::string_view, 13> kParameters{
    "BLOCK_SIZE_M",  "BLOCK_SIZE_N",   "BLOCK_SIZE_K",  "GROUP_SIZE_M", "num_stages",
    "num_consumers", "CLUSTER_SIZE_M", "blocks_per_sm", "evict_first",  "dynamic",
    "fuse_combine",  "permute_tokens", "SPLIT_K"};

constexpr std::array<std::pair<std::string_view, int>, 1> kLaterParameters{{{"permute_tokens", 0}}};

constexpr std::array<std::pair<std::string_view, int>, 1> kUnrepeatableValues{{{"fuse_combine", wgmma::kSumsByAdding}}};

/// For its `shared` bytes of shared memory.
std::optional<std::string> why_too_large(const wgmma::Config& c, int shared, const DeviceInfo& device) {
  if (shared > device.shared_memory_per_block)
    return fmt::format("needs {} bytes of shared memory, a block has {}", shared, device.shared_memory_per_block);
  constexpr int kReservedPerBlock = 1024;
  if (c.blocks_per_sm * (shared + kReservedPerBlock) > device.shared_memory_per_multiprocessor)
    return fmt::format("{} blocks need {} bytes of shared memory, a multiprocessor has {}", c.blocks_per_sm,
                       c.blocks_per_sm * (shared + kReservedPerBlock), device.shared_memory_per_multiprocessor);
  return std::nullopt;
}

template <bool SwapAb>
std::optional<std::string> why_invalid(const Config& config, Stage stage, const Problem& problem,
                                       const DeviceInfo& device) {
  constexpr std::string_view kName = SwapAb ? "wgmma_swap_ab" : "wgmma";
  if (const auto reason = why_parameters_differ(kName, kParameters, config)) return reason;
  for (const char* flag : {"evict_first", "dynamic", "permute_tokens"})
    if (config.at(flag) < 0 || config.at(flag) > 1) return fmt::format("{} is not 0 or 1", flag);
  if (config.at("fuse_combine") < 0 || config.at("fuse_combine") > 2) return "fuse_combine is not 0, 1 or 2";
  const wgmma::Config c = wgmma_kernel_config(config, SwapAb);
  const bool both = stage == Stage::mlp;
  if (const char* reason = wgmma::why_invalid(c, both ? wgmma::Gemms::both : wgmma::gemms_of(epilogue_of(stage))))
    return reason;
  if (both) {
    for (const Stage each : {Stage::gate, Stage::final})
      if (const auto reason = why_invalid<SwapAb>(config, each, problem, device)) return reason;
    return why_too_large(c, wgmma::smem_bytes(c, wgmma::store_bytes_of_both(c)), device);
  }
  if (c.fuse_combine && stage != Stage::final) return "fuse_combine is for the second GEMM";
  if (!runs_on(wgmma_engine(), device))
    return fmt::format("the {} engine needs an NVIDIA GPU of compute capability 9.0", kName);
  if (const auto reason = why_too_large(c, wgmma::smem_bytes(c, epilogue_of(stage)), device)) return reason;

  const GemmShape shape = gemm_shape(stage, problem);
  if (stage != Stage::final && problem.M * problem.K / 8 > 0xffffffffll)
    return fmt::format("the input has {} elements, the kernel's offsets reach 2^35", problem.M * problem.K);
  constexpr std::int64_t kMostColumns = 32768;  // 2^30 rows of them lie below the lowest address of an output
  if (shape.out_columns > kMostColumns)
    return fmt::format("the output has {} columns, a tensor map that is clipped at a row holds {}", shape.out_columns,
                       kMostColumns);
  const std::int64_t tiles = tile_bound(problem.slots(), problem.E, wgmma::table_block_m(c)) *
                             column_tiles(stage, problem, wgmma::out_columns(c, epilogue_of(stage)));
  if (tiles * c.split_k > 0x3fffffffll)
    return fmt::format("makes {} tiles, the kernel counts to 2^30", tiles * c.split_k);
  if (const std::int64_t k_tiles = (shape.K + c.block_k - 1) / c.block_k; c.split_k > k_tiles)
    return fmt::format("SPLIT_K is {} and K has {} blocks", c.split_k, k_tiles);
  if (const std::int64_t bytes = tiles * wgmma::partial_bytes(c); bytes > kPartialBytes)
    return fmt::format("SPLIT_K keeps {} bytes of parts, there are {}", bytes, kPartialBytes);
  return std::nullopt;
}

/// A block of a cluster copies its share of a tile's weight rows.
TensorBoxes tensor_boxes(const wgmma::Config& c, Epilogue epilogue) {
  const int share = c.block_n / c.cluster_m;
  TensorBoxes boxes{.depth = wgmma::kPanel, .rows = share, .tokens = wgmma::token_box_rows(c)};
  if (epilogue == Epilogue::gated && c.swap_ab)
    boxes.rows = 8, boxes.halves = 2, boxes.groups = share / 16;
  else if (epilogue == Epilogue::gated)
    boxes.rows = c.block_n / 2, boxes.halves = 2 / c.cluster_m;
  if (wgmma::stages_output(c)) {
    boxes.store_columns = wgmma::store_panel(c, epilogue);
    boxes.store_rows = wgmma::store_rows(c);
  }
  return boxes;
}

/// The plan of both GEMMs from that of the first.
KernelPlan plan_both(KernelPlan plan, const wgmma::Config& c, const Problem& problem) {
  plan.source.path = "kernels/wgmma/both.cu";
  plan.entry = gemm_kernel_name(Stage::mlp);
  for (std::string& define : plan.source.defines)
    if (define.starts_with("KERNEL_NAME=")) define = "KERNEL_NAME=" + plan.entry;
  plan.source.defines.push_back(fmt::format("HAS_BIAS_2={}", problem.has_b2() ? 1 : 0));
  plan.shared_bytes = wgmma::smem_bytes(c, wgmma::store_bytes_of_both(c));
  plan.second = {.columns = wgmma::out_columns(c, Epilogue::final),
                 .rows_expected = static_cast<int>(column_tiles(Stage::gate, problem, plan.columns)) * c.num_consumers,
                 .boxes = tensor_boxes(c, Epilogue::final)};
  return plan;
}

template <bool SwapAb>
KernelPlan kernel_plan(const Config& config, Stage stage, const Problem& problem, bool token_tiles) {
  const wgmma::Config c = wgmma_kernel_config(config, SwapAb);
  if (stage == Stage::mlp) return plan_both(kernel_plan<SwapAb>(config, Stage::gate, problem, token_tiles), c, problem);
  const int columns = wgmma::out_columns(c, epilogue_of(stage));
  KernelPlan plan{.source = {.path = "kernels/wgmma/kernel.cu", .defines = gemm_defines(stage, problem, token_tiles)},
                  .entry = gemm_kernel_name(stage),
                  .threads = wgmma::num_threads(c),
                  .shared_bytes = wgmma::smem_bytes(c, epilogue_of(stage)),
                  .block_m = wgmma::table_block_m(c),
                  .columns = columns,
                  .group_m = c.group_m,
                  .cluster = c.cluster_m,
                  .split_k = c.split_k,
                  .part_counters = c.num_consumers,
                  .partial_bytes = wgmma::partial_bytes(c),
                  .blocks_per_sm = c.blocks_per_sm,
                  .row_order = true,
                  .fuses_combine = c.fuse_combine == wgmma::kSumsByLast,
                  .adds_rows = c.fuse_combine == wgmma::kSumsByAdding,
                  .permutes_tokens = c.permute_tokens,
                  .boxes = tensor_boxes(c, epilogue_of(stage))};
  for (std::string define :
       {fmt::format("SWAP_AB={}", SwapAb ? 1 : 0), fmt::format("BLOCK_SIZE_M={}", c.block_m),
        fmt::format("BLOCK_SIZE_N={}", c.block_n), fmt::format("BLOCK_SIZE_K={}", c.block_k),
        fmt::format("NUM_STAGES={}", c.num_stages), fmt::format("NUM_CONSUMERS={}", c.num_consumers),
        fmt::format("CLUSTER_SIZE_M={}", c.cluster_m), fmt::format("BLOCKS_PER_SM={}", c.blocks_per_sm),
        fmt::format("EVICT_FIRST={}", c.evict_first ? 1 : 0), fmt::format("DYNAMIC={}", c.dynamic ? 1 : 0),
        fmt::format("FUSE_COMBINE={}", c.fuse_combine), fmt::format("PERMUTE_TOKENS={}", c.permute_tokens ? 1 : 0),
        fmt::format("SPLIT_K={}", c.split_k)})
    plan.source.defines.push_back(std::move(define));
  return plan;
}

/// A first guess, in short.
struct Guess {
  int m, n, k, group, stages, consumers;
  int cluster = 1, blocks = 1, evict_first = 0, dynamic = 0, permute_tokens = 0, split_k = 1;
};

Config make(const Guess& g) {
  return {{"BLOCK_SIZE_M", g.m},         {"BLOCK_SIZE_N", g.n},       {"BLOCK_SIZE_K", g.k},
          {"GROUP_SIZE_M", g.group},     {"num_stages", g.stages},    {"num_consumers", g.consumers},
          {"CLUSTER_SIZE_M", g.cluster}, {"blocks_per_sm", g.blocks}, {"evict_first", g.evict_first},
          {"dynamic", g.dynamic},        {"fuse_combine", 0},         {"permute_tokens", g.permute_tokens},
          {"SPLIT_K", g.split_k}};
}

template <bool SwapAb>
std::vector<Config> legal_ones(const std::vector<Guess>& guesses, Stage stage, const Problem& problem,
                               const DeviceInfo& device) {
  std::vector<Config> configs;
  for (const Guess& guess : guesses) configs.push_back(make(guess));
  return legal_and_different(
      std::move(configs), [&](const Config& config) { return !why_invalid<SwapAb>(config, stage, problem, device); });
}

// Both lists are ordered by what came out on an H200 with five models. In short: the tile that covers an expert's rows
// with the fewest bytes of weights read twice; among those, the one whose stages hold most bytes on their way.

/// Gathering costs a compute-bound GEMM 7 %, putting the tokens in order a write and a part of a read of T·K elements:
/// less from an inner size of some 1100·(1 + 1/topk) on (H200, 650 TFLOP/s and 4.3 TB/s). legal_ones() leaves such
/// guesses out where they are not for the stage.
bool pays_to_permute(const Problem& problem) {
  const double topk = static_cast<double>(problem.topk);
  return static_cast<double>(problem.inner()) > 1100 * (1 + 1 / topk);
}

std::vector<Config> wgmma_first_configs(Stage stage, const Problem& problem, const DeviceInfo& device) {
  std::vector<Guess> all;
  if (rows_per_expert(problem) > 80) {
    if (pays_to_permute(problem))
      all = {{128, 256, 64, 8, 4, 2, 2, 1, 0, 1, 1}, {128, 256, 64, 8, 4, 2, 1, 1, 0, 1, 1}};
    for (const Guess& guess : {Guess{128, 256, 64, 8, 4, 2, 2, 1, 0, 1},
                               {128, 256, 64, 8, 4, 2, 1, 1, 0, 1},
                               {128, 256, 64, 8, 4, 2},
                               {128, 256, 64, 8, 3, 2, 2, 1, 0, 1},
                               {128, 256, 64, 4, 4, 2, 2, 1, 0, 1},
                               {128, 256, 64, 8, 3, 2, 1, 1, 0, 1},
                               {128, 256, 64, 4, 4, 2, 2},
                               {128, 256, 64, 8, 3, 2},
                               {64, 256, 64, 8, 5, 1},
                               {128, 192, 64, 8, 4, 2, 1, 1, 0, 1},
                               {128, 128, 64, 8, 5, 2, 1, 1, 0, 1}})
      all.push_back(guess);
  } else {
    all = {{128, 256, 64, 1, 4, 2}};
    // Of 128 tokens only those 64 are multiplied that there are rows for: winners at 32 rows an expert (qwen3-30b-a3b,
    // M = 512, 310 against 316 us with the best of the others as second GEMM; deepseek-v3, M = 1024, first GEMM).
    if (rows_per_expert(problem) > 16)
      all.push_back(stage == Stage::final ? Guess{128, 128, 64, 4, 5, 2, 1, 1, 1, 1}
                                          : Guess{128, 192, 64, 4, 4, 2, 1, 1, 1, 1});
    for (const Guess& guess : {Guess{128, 256, 64, 1, 4, 2, 1, 1, 1},
                               {64, 256, 64, 1, 5, 1},
                               {64, 256, 64, 1, 5, 1, 1, 1, 1},
                               {64, 128, 64, 1, 4, 1, 1, 2}})
      all.push_back(guess);
  }
  all.push_back({64, 64, 64, 8, 4, 1});  // runs wherever the engine does
  return legal_ones<false>(all, stage, problem, device);
}

/// Whether two blocks on each multiprocessor have more than five tiles of 128 weight rows each. Then these are handed
/// out, and the second GEMM's are of two consumers: a whole pipeline's 0.5 and 1.5 % at 32 rows an expert, 1.3 and 2 %
/// at 64 (H200; deepseek-v3, gpt-oss-120b and qwen3-30b-a3b, M = 1024). With fewer, 1 % the other way (olmoe-1b-7b,
/// M = 256).
bool has_many_narrow_tiles(Stage stage, const Problem& problem, const DeviceInfo& device) {
  const std::int64_t columns = wgmma::out_columns({.block_n = 128}, epilogue_of(stage));
  return even_load(problem).experts_hit * static_cast<double>(column_tiles(stage, problem, columns)) >
         5 * 2 * device.multiprocessors;
}

std::vector<Config> swap_ab_first_configs(Stage stage, const Problem& problem, const DeviceInfo& device) {
  std::vector<Guess> all;
  const double rows = rows_per_expert(problem);
  const bool second = stage == Stage::final;
  // The fullest expert should fit one tile: a second one reads the weights again.
  const double fullest = rows + 2 * std::sqrt(rows);
  if (fullest <= 16) {
    const int m = fullest <= 8 ? 8 : 16;
    all = {{m, 64, 128, 1, 5, 1, 1, 2, 1},  {m, 128, 64, 1, 6, 1, 1, 2},    {m, 64, 128, 1, 10, 1, 1, 1, 1},
           {m, 64, 128, 1, 6, 1, 1, 2},     {m, 64, 128, 1, 4, 1, 1, 2, 1}, {16, 128, 64, 1, 6, 1, 1, 2},
           {m, 128, 64, 1, 6, 1, 1, 2, 1},  {m, 64, 64, 1, 12, 1, 1, 2},    {m, 64, 128, 1, 4, 1, 1, 3},
           {m, 128, 128, 1, 5, 1, 1, 1, 1}, {m, 64, 64, 1, 8, 1, 1, 3},     {m, 64, 128, 1, 5, 1, 1, 2, 1, 0, 0, 2}};
  } else if (fullest <= 64) {
    const int m = fullest <= 32 ? 32 : 64;
    all = {{m, 64, 64, 1, 6, 1, 1, 2, 1}, {m, 128, 64, 1, 4, 1, 1, 2, 1},  {m, 128, 64, 1, 4, 1, 1, 2},
           {m, 64, 64, 1, 6, 1, 1, 2},    {m, 256, 64, 1, 4, 2, 1, 1, 1},  {m, 64, 128, 1, 4, 1, 1, 2},
           {m, 64, 64, 1, 4, 1, 1, 3, 1}, {64, 128, 64, 1, 4, 1, 1, 2, 1}, {m, 256, 64, 1, 4, 2},
           {m, 128, 128, 1, 4, 1}};
    if (has_many_narrow_tiles(stage, problem, device))
      all.insert(all.begin(), second ? Guess{m, 128, 64, 1, 4, 2, 1, 2, 0, 1} : Guess{m, 64, 64, 1, 6, 1, 1, 2, 1, 1});
  } else if (fullest <= 128) {
    const int m = fullest <= 96 ? 96 : 128;
    all = {{m, 128, 64, 1, 3, 1, 1, 2, 1},
           {m, 128, 64, 1, 3, 1, 1, 2},
           {m, 256, 64, 1, 4, 2},
           {128, 256, 64, 1, 4, 2},
           {96, 128, 64, 1, 3, 1, 1, 2},
           {96, 64, 64, 1, 4, 1, 1, 2, 1},
           {128, 128, 64, 1, 3, 1, 1, 2},
           {m, 256, 64, 1, 4, 2, 1, 1, 1},
           {128, 256, 64, 8, 4, 2, 1, 1, 0, 1},
           {160, 256, 64, 8, 4, 2, 1, 1, 0, 1}};
    if (has_many_narrow_tiles(stage, problem, device))
      all.insert(all.begin(), second ? Guess{m, 128, 64, 8, 3, 2, 1, 2, 0, 1} : Guess{m, 128, 64, 1, 3, 1, 1, 2, 1, 1});
  } else {
    // Tiles of an expert are of even height, so that the widest that registers allow wastes nothing. As soon as most
    // experts have two, a pair of blocks that shares weights is ahead: whole pipelines under load took 9 % less with
    // deepseek-v3's 512 rows an expert, 3 to 4 % less with 256 to 1024 rows of other models; four blocks 1 to 9 % more.
    const bool pairs = rows > 160;
    if (pays_to_permute(problem))
      all = {{160, 256, 64, 8, 4, 2, pairs ? 2 : 1, 1, 0, 1, 1},
             {160, 256, 64, 8, 4, 2, pairs ? 1 : 2, 1, 0, 1, 1},
             {160, 256, 64, 8, 4, 2, 1, 1, 0, 0, 1}};
    if (rows > 700) all.push_back({128, 256, 64, 8, 4, 2, 2, 1, 0, 1});
    if (pairs) all.push_back({160, 256, 64, 8, 4, 2, 2, 1, 0, 1});
    // A second GEMM whose tiles are handed out takes 1.6 to 1.8 % off the whole (deepseek-v3, gpt-oss-120b, M = 4096).
    if (second) all.push_back({160, 256, 64, 8, 4, 2, 1, 1, 0, 1});
    for (const Guess& guess : {Guess{160, 256, 64, 8, 4, 2},
                               {160, 256, 64, 8, 4, 2, 1, 1, 0, 1},
                               {160, 256, 64, 8, 4, 2, 2, 1, 0, 1},
                               {160, 256, 64, 8, 4, 2, 2},
                               {128, 256, 64, 8, 4, 2, 1, 1, 0, 1},
                               {96, 256, 64, 8, 4, 2},
                               {160, 128, 64, 8, 5, 2, 1, 1, 0, 1},
                               {128, 256, 64, 8, 4, 2},
                               {128, 256, 64, 8, 4, 2, 2, 1, 0, 1},
                               {192, 256, 64, 8, 3, 2, 1, 1, 0, 1},
                               {160, 256, 64, 8, 3, 2, 1, 1, 0, 1},
                               {192, 128, 64, 8, 5, 2, 1, 1, 0, 1}})
      all.push_back(guess);
  }
  all.push_back({8, 64, 64, 1, 4, 1});  // runs wherever the engine does
  return legal_ones<true>(all, stage, problem, device);
}

}  // namespace

wgmma::Config wgmma_kernel_config(const Config& config, bool swap_ab) {
  return {.swap_ab = swap_ab,
          .block_m = config.at("BLOCK_SIZE_M"),
          .block_n = config.at("BLOCK_SIZE_N"),
          .block_k = config.at("BLOCK_SIZE_K"),
          .group_m = config.at("GROUP_SIZE_M"),
          .num_stages = config.at("num_stages"),
          .num_consumers = config.at("num_consumers"),
          .cluster_m = config.at("CLUSTER_SIZE_M"),
          .blocks_per_sm = config.at("blocks_per_sm"),
          .evict_first = config.at("evict_first") != 0,
          .dynamic = config.at("dynamic") != 0,
          .fuse_combine = config.at("fuse_combine"),
          .permute_tokens = config.at("permute_tokens") != 0,
          .split_k = config.at("SPLIT_K")};
}

const Engine& wgmma_engine() {
  static constexpr Engine engine{.name = "wgmma",
                                 .backend = Backend::cuda,
                                 .summary = "wgmma and tensor copies, 64 tokens at a time, compute capability 9.0",
                                 .parameters = kParameters,
                                 .later_parameters = kLaterParameters,
                                 .unrepeatable_values = kUnrepeatableValues,
                                 .why_invalid = why_invalid<false>,
                                 .first_configs = wgmma_first_configs,
                                 .kernel_plan = kernel_plan<false>,
                                 .oldest_capability = 90,
                                 .newest_capability = 90,
                                 .best_rows = {1100}};
  return engine;
}

const Engine& wgmma_swap_ab_engine() {
  static constexpr Engine engine{.name = "wgmma_swap_ab",
                                 .backend = Backend::cuda,
                                 .summary = "wgmma and tensor copies, 64 weight rows at a time, compute capability 9.0",
                                 .parameters = kParameters,
                                 .later_parameters = kLaterParameters,
                                 .unrepeatable_values = kUnrepeatableValues,
                                 .why_invalid = why_invalid<true>,
                                 .first_configs = swap_ab_first_configs,
                                 .kernel_plan = kernel_plan<true>,
                                 .oldest_capability = 90,
                                 .newest_capability = 90,
                                 .best_rows = {24, 1100}};
  return engine;
}

}  // namespace moetune
