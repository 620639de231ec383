#include "backend/cuda/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/tensor_maps.h"
#include "kernel/engine.h"
#include "kernel/grouped_gemm.h"

namespace moetune::cuda {
namespace {

constexpr unsigned kElementwiseThreads = 256;

unsigned blocks_for(std::int64_t items, unsigned per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

/// The first GEMM's tables are the first ones.
std::size_t table_of(Stage stage) {
  return stage == Stage::final ? 1 : 0;
}

template <class T>
T* as(DevicePointer address) {
  return reinterpret_cast<T*>(address);
}

constexpr int most_route_warps(std::int64_t experts) {
  return experts <= 512 ? 32 : 16;  // a counter per warp and expert in shared memory
}

constexpr int align_shared_bytes(int warps, std::int64_t experts) {
  return static_cast<int>(4 * ((warps + 2) * experts + 3 * (experts + 1)));
}

}  // namespace

RouteShape route_shape(std::int64_t slots, std::int64_t experts) {
  // Scattered stores are what placing a slot costs, so shares are small. A block can place 1024 slots at a time.
  constexpr std::int64_t kMostForOneLaunch = 16384, kShare = 256, kLargeShare = 1024;
  RouteShape shape;
  shape.counts_first = slots > kMostForOneLaunch;
  std::int64_t share = kShare;
  if (shape.counts_first) share = std::max(kLargeShare, (slots + kMostRouteBlocks - 1) / kMostRouteBlocks);
  shape.slots_per_block = static_cast<int>((share + 31) / 32 * 32);
  shape.blocks = static_cast<int>((slots + shape.slots_per_block - 1) / shape.slots_per_block);
  while (shape.warps < most_route_warps(experts) && shape.warps * 32 < slots) shape.warps *= 2;
  shape.align_shared_bytes = align_shared_bytes(shape.warps, experts);
  shape.count_shared_bytes = static_cast<int>(4 * experts);
  return shape;
}

KernelSource routing_source() {
  return {.path = "kernels/routing/kernel.cu", .defines = {}};
}

KernelSource elementwise_source(const Problem& problem) {
  return {.path = "kernels/elementwise/kernel.cu",
          .defines = {fmt::format("DTYPE={}", to_string(problem.dtype)),
                      fmt::format("ACTIVATION={}", to_string(problem.activation))}};
}

LaunchPlan::LaunchPlan(Gpu& gpu, const Problem& problem, const PipelineConfig& config)
    : gpu_(gpu), problem_(problem), impl_(config.impl), token_tiles_(uses_token_tiles(problem)) {
  if (!token_tiles_) {
    const int bytes = align_shared_bytes(most_route_warps(problem.E), problem.E);
    route_ = {.count_experts = gpu.load(routing_source(), "count_experts"),
              .align = gpu.load(routing_source(), "moe_align_block_size", bytes)};
    route_mapped_ = {.count_experts = gpu.load(routing_source(), "count_mapped_experts"),
                     .align = gpu.load(routing_source(), "moe_align_mapped_block_size", bytes)};
  }
  for (const Stage stage : tunable_stages_of(impl_)) {
    const StageConfig& chosen = config.stages.at(stage);
    gemms_.push_back({.stage = stage,
                      .plan = find_engine(chosen.engine).kernel_plan(chosen.config, stage, problem, token_tiles_),
                      .maps = new_map_keys(),
                      .second_maps = stage == Stage::mlp ? new_map_keys() : 0});
    Gemm& gemm = gemms_.back();
    const bool follows_gate = impl_ == Impl::merged && stage == Stage::final;
    gemm.shared_bytes = shared_bytes(gemm.plan, follows_gate ? &gemms_.front().plan : nullptr);
    gemm.function = gpu.load(gemm.plan.source, gemm.plan.entry, gemm.shared_bytes);
  }
  if (permutes_tokens()) permute_ = gpu.load(elementwise_source(problem), "moe_permute");
  if (impl_ == Impl::three_kernel) activate_ = gpu.load(elementwise_source(problem), "activate_and_mul");
  if (gemms_.back().plan.adds_rows) clear_ = gpu.load(elementwise_source(problem), "moe_clear");
  if (!gemms_.back().plan.sums_over_topk()) {
    const bool in_row_order = !token_tiles_ && gemms_.back().plan.row_order;
    sum_ = gpu.load(elementwise_source(problem), in_row_order ? "moe_sum" : "moe_sum_of_slots");
    sum_of_mapped_ = in_row_order ? sum_ : gpu.load(elementwise_source(problem), "moe_sum_of_mapped_slots");
  }
}

void LaunchPlan::visit(std::int64_t M, const Addresses& at, const Visit& launch) const {
  const Call call{.M = M, .slots = M * problem_.topk, .at = at, .launch = launch};
  auto gemm = gemms_.begin();
  for (const Stage stage : stages_of(impl_)) {
    switch (stage) {
      case Stage::route:
        if (!token_tiles_) visit_route(call);
        break;
      case Stage::gemm1:
      case Stage::gate:
      case Stage::final:
      case Stage::mlp:
        visit_gemm(*gemm++, call);
        break;
      case Stage::activate:
        visit_activate(call);
        break;
      case Stage::combine:
        if (sum_ != nullptr) visit_combine(call);
        break;
    }
  }
}

CounterBytes LaunchPlan::counter_bytes(std::int64_t M) const {
  constexpr std::int64_t kInt = sizeof(int);
  CounterBytes bytes;
  for (const Gemm& gemm : gemms_) {
    const std::int64_t rows = row_tiles(gemm.plan, M * problem_.topk), tiles = rows * column_tiles(gemm);
    if (gemm.plan.split_k > 1) {
      bytes.parts_done = std::max(bytes.parts_done, kInt * tiles * gemm.plan.part_counters);
      bytes.partials = std::max<std::int64_t>(bytes.partials, tiles * gemm.plan.partial_bytes);
    }
    if (gemm.plan.fuses_combine) bytes.arrivals = kInt * M * column_tiles(gemm);
    if (gemm.plan.second.columns > 0) bytes.rows_done = kInt * rows;
  }
  return bytes;
}

bool LaunchPlan::uses_counters() const {
  return std::any_of(gemms_.begin(), gemms_.end(), [](const Gemm& gemm) {
    return gemm.plan.split_k > 1 || gemm.plan.fuses_combine || gemm.plan.second.columns > 0;
  });
}

int LaunchPlan::least_block_m() const {
  return std::min(gemms_.front().plan.block_m, gemms_.back().plan.block_m);
}

std::int64_t LaunchPlan::row_tiles(const KernelPlan& plan, std::int64_t slots) const {
  return token_tiles_ ? slots / std::max(plan.summed_slots, 1) : tile_bound(slots, problem_.E, plan.block_m);
}

std::int64_t LaunchPlan::column_tiles(const Gemm& gemm) const {
  if (gemm.stage != Stage::mlp) return moetune::column_tiles(gemm.stage, problem_, gemm.plan.columns);
  return moetune::column_tiles(Stage::gate, problem_, gemm.plan.columns) +
         moetune::column_tiles(Stage::final, problem_, gemm.plan.second.columns);
}

void LaunchPlan::visit_route(const Call& call) const {
  const RouteShape shape = route_shape(call.slots, problem_.E);
  const Addresses& at = call.at;
  RouteArguments arguments{.topk_ids = as<const int>(at.topk_ids),
                           .topk_weights = as<const float>(at.topk_weights),
                           .map = expert_map(at),
                           .slots = static_cast<int>(call.slots),
                           .slots_per_block = shape.slots_per_block,
                           .block_counts = shape.counts_first ? as<int>(at.block_counts) : nullptr,
                           .expert_offsets = as<int>(at.expert_offsets),
                           .sorted_slots = as<int>(at.sorted_slots),
                           .slot_rows = as<int>(at.slot_rows),
                           .row_weights = as<float>(at.row_weights),
                           .tables = {},
                           .zeros = as<int>(at.zeros),
                           .zero_count = at.zero_count};
  for (const Gemm& gemm : gemms_) {
    const std::size_t t = table_of(gemm.stage);
    arguments.tables[t] = {
        .block_m = gemm.plan.block_m, .tiles = as<RowTile>(at.tiles[t]), .count = as<int>(at.tile_counts) + t};
  }
  const RouteKernels& kernels = at.expert_map == 0 ? route_ : route_mapped_;
  Launch launch{.grid = static_cast<unsigned>(shape.blocks), .block = static_cast<unsigned>(32 * shape.warps)};
  launch.set_arguments(arguments);
  launch.overlaps_predecessor = true;  // every kernel of the pipelines waits by itself
  if (shape.counts_first) {
    launch.function = kernels.count_experts;
    launch.shared_bytes = static_cast<unsigned>(shape.count_shared_bytes);
    call.launch(Stage::route, launch);
    launch.overlaps_predecessor = true;  // whatever the visitor made of it
  }
  launch.function = kernels.align;
  launch.shared_bytes = static_cast<unsigned>(shape.align_shared_bytes);
  call.launch(Stage::route, launch);
}

GemmArguments LaunchPlan::gemm_arguments(Stage stage, const KernelPlan& plan, const Call& call) const {
  const Addresses& at = call.at;
  const Epilogue epilogue = epilogue_of(stage);
  const bool second = epilogue == Epilogue::final;
  const std::size_t table = impl_ == Impl::merged_single ? 0 : table_of(stage);
  const GemmShape shape = gemm_shape(stage, problem_);
  return {
      .a = as<const unsigned short>(second ? at.cache2 : at.hidden),
      .a_pitch = second ? static_cast<int>(shape.K) : hidden_pitch(at),
      .weights = as<const unsigned short>(second ? at.w2 : at.w1),
      .bias = as<const unsigned short>(second ? at.b2 : at.b1),
      .out = as<unsigned short>(second                        ? at.cache3
                                : epilogue == Epilogue::gated ? at.cache2
                                                              : at.cache1),
      .routing_weights = as<const float>(at.topk_weights),
      .row_weights = as<const float>(token_tiles_ ? at.topk_weights : at.row_weights),
      .sorted_slots = token_tiles_ ? nullptr : as<const int>(at.sorted_slots),
      .tiles = token_tiles_ ? nullptr : as<const RowTile>(at.tiles[table]),
      .tile_count = as<const int>(at.tile_counts) + table,
      .tile_bound = static_cast<int>(row_tiles(plan, call.slots)),
      .progress = as<int>(at.progress) + 2 * table,
      .partials = as<float>(at.partials),
      .parts_done = as<int>(at.parts_done),
      .combined = as<unsigned short>(at.out),
      .combined_pitch = out_pitch(at),
      .slot_rows = token_tiles_ ? nullptr : as<const int>(at.slot_rows),
      .row_count = token_tiles_ ? nullptr : row_count(at),
      .arrivals = as<int>(at.arrivals),
      .rows_done = as<int>(at.rows_done),
      .rows_expected = plan.second.rows_expected,
      .topk_ids = as<const int>(at.topk_ids),
      .map = expert_map(at),
      .early_blocks = second ? 0 : early_blocks(plan, call),
      .reads_weights_once = call.slots <= problem_.E * (token_tiles_ ? 1 : plan.block_m),
      .slots = static_cast<int>(call.slots),
      .topk = static_cast<int>(problem_.topk),
      .group_m = plan.group_m,
      .K = static_cast<int>(shape.K),
      .weight_rows = static_cast<int>(shape.weight_rows),
      .out_columns = static_cast<int>(shape.out_columns),
  };
}

int LaunchPlan::early_blocks(const KernelPlan& plan, const Call& call) const {
  constexpr std::int64_t kMostSlots = 2048;  // beyond, counting takes a block as long as it has to wait
  const bool overlap = gpu_.info().compute_capability >= 90;  // kernels, see Gpu::enqueue()
  const bool gathers_alone = impl_ != Impl::merged_single && !plan.permutes_tokens;
  const bool counts = !token_tiles_ && call.at.expert_map == 0 && call.slots <= kMostSlots;
  if (!overlap || !gathers_alone || !counts) return 0;
  return gpu_.info().multiprocessors * resident_blocks(plan, gpu_.info());
}

int LaunchPlan::hidden_pitch(const Addresses& at) const {
  return static_cast<int>(at.hidden_pitch == 0 ? problem_.K : at.hidden_pitch);
}

int LaunchPlan::out_pitch(const Addresses& at) const {
  return static_cast<int>(at.out_pitch == 0 ? problem_.N2 : at.out_pitch);
}

ExpertMap LaunchPlan::expert_map(const Addresses& at) const {
  return {.local = as<const int>(at.expert_map),
          .global = static_cast<int>(at.global_experts > 0 ? at.global_experts : problem_.global_experts()),
          .experts = static_cast<int>(problem_.E)};
}

const int* LaunchPlan::row_count(const Addresses& at) const {
  return as<const int>(at.expert_offsets) + problem_.E;
}

void LaunchPlan::visit_permute(Stage stage, const Call& call) const {
  Launch launch{.function = permute_,
                .grid = blocks_for(call.M * problem_.K / 8, kElementwiseThreads),
                .block = kElementwiseThreads,
                .overlaps_predecessor = true};
  launch.set_arguments(PermuteArguments{.in = as<const unsigned short>(call.at.hidden),
                                        .in_pitch = hidden_pitch(call.at),
                                        .slot_rows = token_tiles_ ? nullptr : as<const int>(call.at.slot_rows),
                                        .row_count = token_tiles_ ? nullptr : row_count(call.at),
                                        .out = as<unsigned short>(call.at.permuted),
                                        .tokens = call.M,
                                        .topk = static_cast<int>(problem_.topk),
                                        .columns = static_cast<int>(problem_.K)});
  call.launch(stage, launch);
}

void LaunchPlan::visit_gemm(const Gemm& gemm, const Call& call) const {
  const KernelPlan& plan = gemm.plan;
  if (plan.permutes_tokens) visit_permute(gemm.stage, call);
  if (plan.adds_rows) visit_clear(gemm.stage, call);
  std::int64_t blocks = row_tiles(plan, call.slots) * column_tiles(gemm) * plan.cluster * plan.split_k;
  if (plan.blocks_per_sm > 0)
    blocks =
        std::min<std::int64_t>(blocks, gpu_.info().multiprocessors * plan.blocks_per_sm / plan.cluster * plan.cluster);
  Launch launch{.function = gemm.function,
                .grid = static_cast<unsigned>(blocks),
                .block = static_cast<unsigned>(plan.threads),
                .shared_bytes = static_cast<unsigned>(gemm.shared_bytes),
                .cluster = static_cast<unsigned>(plan.cluster),
                .overlaps_predecessor = true};
  if (gemm.stage == Stage::mlp) {
    launch.set_arguments(BothGemmsArguments{
        .first = with_tensors(gemm_arguments(Stage::gate, plan, call), Stage::gate, plan.boxes, gemm.maps, call),
        .second = with_tensors(gemm_arguments(Stage::final, plan, call), Stage::final, plan.second.boxes,
                               gemm.second_maps, call)});
  } else if (const GemmArguments arguments = gemm_arguments(gemm.stage, plan, call); plan.boxes.depth > 0) {
    launch.set_arguments(with_tensors(arguments, gemm.stage, plan.boxes, gemm.maps, call));
  } else {
    launch.set_arguments(arguments);
  }
  call.launch(gemm.stage, launch);
}

/// Persistent blocks are meant to be spread evenly, but a kernel that starts while the one before it still runs has its
/// blocks put where there is room first, more than blocks_per_sm of them on one multiprocessor if they fit, and others
/// are left idle (seen on an H200: 238 us instead of 190). So they ask for as much shared memory as keeps one more out,
/// unless the second GEMM's fit beside those of the first, `gate`: then each multiprocessor has room for one from the
/// start.
int LaunchPlan::shared_bytes(const KernelPlan& plan, const KernelPlan* gate) const {
  constexpr int kReserved = 1024;  // of each block
  const int all = static_cast<int>(gpu_.info().shared_memory_per_multiprocessor);
  if (plan.blocks_per_sm == 0) return plan.shared_bytes;
  const int alone = std::max(plan.shared_bytes, all / (plan.blocks_per_sm + 1) - kReserved + 128);
  if (gate != nullptr && gate->blocks_per_sm > 0) {
    const int beside = gate->blocks_per_sm * (shared_bytes(*gate, nullptr) + kReserved);
    if (beside + plan.shared_bytes + kReserved <= all) return plan.shared_bytes;
  }
  return std::min<int>(alone, static_cast<int>(gpu_.info().shared_memory_per_block));
}

TensorGemmArguments LaunchPlan::with_tensors(const GemmArguments& arguments, Stage stage, const TensorBoxes& boxes,
                                             std::uint64_t maps, const Call& call) const {
  using Size = unsigned long long;
  const Size K = static_cast<Size>(arguments.K), pitch = 2 * K, rows = static_cast<Size>(arguments.weight_rows);
  const Size E = static_cast<Size>(problem_.E);
  const bool second = stage == Stage::final;
  TensorMaps& known = tensor_maps_of_thread();
  TensorGemmArguments result{.weights = {}, .tokens = {}, .out = {}, .gemm = arguments};
  const DevicePointer w = second ? call.at.w2 : call.at.w1;
  result.weights = known.at(maps, w, 0, [&] {
    TensorShape weights{.sizes = {K, rows, E}, .strides = {pitch, rows * pitch}, .box = {boxes.depth, boxes.rows, 1}};
    if (stage == Stage::gate && boxes.groups == 0)
      weights = {.sizes = {K, rows / 2, 2, E},
                 .strides = {pitch, rows / 2 * pitch, rows * pitch},
                 .box = {boxes.depth, boxes.rows, boxes.halves, 1}};
    else if (stage == Stage::gate)
      weights = {.sizes = {K, 8, 2, rows / 16, E},
                 .strides = {pitch, rows / 2 * pitch, 8 * pitch, rows * pitch},
                 .box = {boxes.depth, boxes.rows, boxes.halves, boxes.groups, 1}};
    return gpu_.tensor_map(problem_.dtype, w, weights);
  });
  if (second || permutes_tokens()) {
    const DevicePointer tokens = second ? call.at.cache2 : call.at.permuted;
    result.tokens = known.at(maps + 1, tokens, call.slots, [&] {
      return gpu_.tensor_map(
          problem_.dtype, tokens,
          {.sizes = {K, static_cast<Size>(call.slots)}, .strides = {pitch}, .box = {boxes.depth, boxes.tokens}});
    });
  }
  if (boxes.store_columns > 0) {
    const DevicePointer out = reinterpret_cast<DevicePointer>(arguments.out);
    result.out = known.at(maps + 2, out, 0, [&] {
      const Size columns = static_cast<Size>(arguments.out_columns), out_pitch = 2 * columns, window = 1ull << 30;
      return gpu_.tensor_map(problem_.dtype, out - window * out_pitch,
                             {.sizes = {columns, window, 0x7fff0000},
                              .strides = {out_pitch, out_pitch},
                              .box = {boxes.store_columns, boxes.store_rows, 1}});
    });
  }
  return result;
}

void LaunchPlan::visit_activate(const Call& call) const {
  Launch launch{.function = activate_,
                .grid = blocks_for(call.slots * problem_.inner() / 8, kElementwiseThreads),
                .block = kElementwiseThreads,
                .overlaps_predecessor = true};
  // Without a map hardly a row is missing, so that none is looked for.
  const bool has_map = call.at.expert_map != 0;
  launch.set_arguments(
      ActivateArguments{.in = as<const unsigned short>(call.at.cache1),
                        .out = as<unsigned short>(call.at.cache2),
                        .row_count = has_map && !token_tiles_ ? row_count(call.at) : nullptr,
                        .topk_ids = has_map && token_tiles_ ? as<const int>(call.at.topk_ids) : nullptr,
                        .map = expert_map(call.at),
                        .rows = call.slots,
                        .columns = static_cast<int>(problem_.inner())});
  call.launch(Stage::activate, launch);
}

void LaunchPlan::visit_clear(Stage stage, const Call& call) const {
  Launch launch{.function = clear_,
                .grid = blocks_for(call.M * problem_.N2 / 8, kElementwiseThreads),
                .block = kElementwiseThreads,
                .overlaps_predecessor = true};
  launch.set_arguments(ClearArguments{.out = as<unsigned short>(call.at.out),
                                      .out_pitch = out_pitch(call.at),
                                      .tokens = call.M,
                                      .columns = static_cast<int>(problem_.N2)});
  call.launch(stage, launch);
}

void LaunchPlan::visit_combine(const Call& call) const {
  // Few tokens: small blocks, so that the loads are spread over many SMs.
  const std::int64_t pieces = call.M * problem_.N2 / 8;
  const unsigned threads = pieces < 64 * 1024 ? 64 : kElementwiseThreads;
  Launch launch{.function = call.at.expert_map == 0 ? sum_ : sum_of_mapped_,
                .grid = blocks_for(pieces, threads),
                .block = threads,
                .overlaps_predecessor = true};
  launch.set_arguments(CombineArguments{.in = as<const unsigned short>(call.at.cache3),
                                        .slot_rows = token_tiles_ ? nullptr : as<const int>(call.at.slot_rows),
                                        .topk_ids = as<const int>(call.at.topk_ids),
                                        .map = expert_map(call.at),
                                        .out = as<unsigned short>(call.at.out),
                                        .out_pitch = out_pitch(call.at),
                                        .tokens = call.M,
                                        .topk = static_cast<int>(problem_.topk),
                                        .columns = static_cast<int>(problem_.N2)});
  call.launch(Stage::combine, launch);
}

}  // namespace moetune::cuda
