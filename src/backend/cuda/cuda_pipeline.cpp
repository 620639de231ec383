#include "backend/cuda/cuda_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernel/engine.h"
#include "kernel/grouped_gemm.h"
#include "kernels/lib/arguments.h"

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

}  // namespace

KernelSource elementwise_source(const Problem& problem) {
  return {.path = "kernels/elementwise/kernel.cu",
          .defines = {fmt::format("DTYPE={}", to_string(problem.dtype)),
                      fmt::format("ACTIVATION={}", to_string(problem.activation))}};
}

CudaPipeline::CudaPipeline(std::shared_ptr<Gpu> gpu, const Problem& problem, const ProblemBuffers& buffers,
                           const PipelineConfig& config)
    : gpu_(std::move(gpu)), problem_(problem), buffers_(buffers), token_tiles_(uses_token_tiles(problem)) {
  for (const Stage stage : stages_of(config.impl)) {
    switch (stage) {
      case Stage::route:
        if (!token_tiles_) add_route(config);
        break;
      case Stage::gemm1:
      case Stage::gate:
      case Stage::final:
      case Stage::mlp:
        add_gemm(stage, config);
        break;
      case Stage::activate:
        add_activate();
        break;
      case Stage::combine:
        add_combine(config);
        break;
    }
  }
}

void CudaPipeline::add(Stage stage, Launch launch) {
  launch.overlaps_predecessor = true;  // every kernel of the pipelines waits by itself
  steps_.push_back({stage, std::move(launch)});
}

void CudaPipeline::add_route(const PipelineConfig& config) {
  const RouteShape shape = route_shape(problem_);
  const KernelSource source{.path = "kernels/routing/kernel.cu", .defines = {}};
  RouteArguments arguments{.topk_ids = buffers_.topk_ids.as<const int>(),
                           .topk_weights = buffers_.topk_weights.as<const float>(),
                           .map = expert_map(),
                           .slots = static_cast<int>(problem_.slots()),
                           .slots_per_block = shape.slots_per_block,
                           .block_counts = shape.counts_first ? buffers_.block_counts.as<int>() : nullptr,
                           .expert_offsets = buffers_.expert_offsets.as<int>(),
                           .sorted_slots = buffers_.sorted_slots.as<int>(),
                           .slot_rows = buffers_.slot_rows.as<int>(),
                           .row_weights = buffers_.row_weights.as<float>(),
                           .tables = {}};
  for (const Stage stage : tunable_stages_of(config.impl)) {
    const std::size_t t = table_of(stage);
    arguments.tables[t] = {.block_m = plan_of(stage, config.stages.at(stage)).block_m,
                           .tiles = buffers_.tiles[t].as<RowTile>(),
                           .count = buffers_.tile_counts.as<int>() + t};
  }
  Launch launch{.grid = static_cast<unsigned>(shape.blocks), .block = static_cast<unsigned>(32 * shape.warps)};
  launch.set_arguments(arguments);
  if (shape.counts_first) {
    launch.function = gpu_->load(source, "count_experts", shape.count_shared_bytes);
    launch.shared_bytes = static_cast<unsigned>(shape.count_shared_bytes);
    add(Stage::route, launch);
  }
  launch.function = gpu_->load(source, "moe_align_block_size", shape.align_shared_bytes);
  launch.shared_bytes = static_cast<unsigned>(shape.align_shared_bytes);
  add(Stage::route, launch);
}

ExpertMap CudaPipeline::expert_map() const {
  return {.local = buffers_.expert_map.as<const int>(),
          .global = static_cast<int>(problem_.global_experts()),
          .experts = static_cast<int>(problem_.E)};
}

const int* CudaPipeline::row_count() const {
  return buffers_.expert_offsets.as<const int>() + problem_.E;
}

GemmArguments CudaPipeline::gemm_arguments(Stage stage, const KernelPlan& plan, std::size_t table) const {
  const Epilogue epilogue = epilogue_of(stage);
  const bool second = epilogue == Epilogue::final;
  const Buffer& bias = second ? buffers_.b2 : buffers_.b1;
  const Buffer& out = second ? buffers_.cache3 : epilogue == Epilogue::gated ? buffers_.cache2 : buffers_.cache1;
  const GemmShape shape = gemm_shape(stage, problem_);
  return {
      .a = (second ? buffers_.cache2 : buffers_.hidden).as<const unsigned short>(),
      .weights = (second ? buffers_.w2 : buffers_.w1).as<const unsigned short>(),
      .bias = bias.as<const unsigned short>(),
      .out = out.as<unsigned short>(),
      .routing_weights = buffers_.topk_weights.as<const float>(),
      .row_weights = (token_tiles_ ? buffers_.topk_weights : buffers_.row_weights).as<const float>(),
      .sorted_slots = token_tiles_ ? nullptr : buffers_.sorted_slots.as<const int>(),
      .tiles = token_tiles_ ? nullptr : buffers_.tiles[table].as<const RowTile>(),
      .tile_count = buffers_.tile_counts.as<const int>() + table,
      .tile_bound = static_cast<int>(row_tiles(plan)),
      .progress = buffers_.progress.as<int>() + 2 * table,
      .partials = buffers_.partials.as<float>(),
      .parts_done = buffers_.parts_done.as<int>(),
      .combined = buffers_.out.as<unsigned short>(),
      .slot_rows = token_tiles_ ? nullptr : buffers_.slot_rows.as<const int>(),
      .row_count = token_tiles_ ? nullptr : row_count(),
      .arrivals = buffers_.arrivals.as<int>(),
      .rows_done = buffers_.rows_done.as<int>(),
      .rows_expected = plan.second.rows_expected,
      .topk_ids = buffers_.topk_ids.as<const int>(),
      .map = expert_map(),
      .slots = static_cast<int>(problem_.slots()),
      .topk = static_cast<int>(problem_.topk),
      .group_m = plan.group_m,
      .K = static_cast<int>(shape.K),
      .weight_rows = static_cast<int>(shape.weight_rows),
      .out_columns = static_cast<int>(shape.out_columns),
  };
}

std::int64_t CudaPipeline::row_tiles(const KernelPlan& plan) const {
  return token_tiles_ ? problem_.slots() : tile_bound(problem_.slots(), problem_.E, plan.block_m);
}

void CudaPipeline::add_gemm(Stage stage, const PipelineConfig& config) {
  const KernelPlan plan = plan_of(stage, config.stages.at(stage));
  const bool both = stage == Stage::mlp;
  const auto column_tiles = [&](Stage gemm, int columns) {
    return (gemm_shape(gemm, problem_).out_columns + columns - 1) / columns;
  };
  std::int64_t columns = column_tiles(both ? Stage::gate : stage, plan.columns);
  if (both) columns += column_tiles(Stage::final, plan.second.columns);
  std::int64_t blocks = row_tiles(plan) * columns * plan.cluster * plan.split_k;
  if (plan.blocks_per_sm > 0)
    blocks =
        std::min<std::int64_t>(blocks, gpu_->info().multiprocessors * plan.blocks_per_sm / plan.cluster * plan.cluster);
  const int shared = shared_bytes(stage, config);
  Launch launch{.function = gpu_->load(plan.source, plan.entry, shared),
                .grid = static_cast<unsigned>(blocks),
                .block = static_cast<unsigned>(plan.threads),
                .shared_bytes = static_cast<unsigned>(shared),
                .cluster = static_cast<unsigned>(plan.cluster)};
  const std::size_t table = table_of(stage);
  if (both)
    launch.set_arguments(BothGemmsArguments{
        .first = with_tensors(gemm_arguments(Stage::gate, plan, table), Stage::gate, plan.boxes),
        .second = with_tensors(gemm_arguments(Stage::final, plan, table), Stage::final, plan.second.boxes)});
  else if (plan.boxes.depth > 0)
    launch.set_arguments(with_tensors(gemm_arguments(stage, plan, table), stage, plan.boxes));
  else
    launch.set_arguments(gemm_arguments(stage, plan, table));
  add(stage, std::move(launch));
}

/// Persistent blocks are meant to be spread evenly, but a kernel that starts while the one before it still runs has its
/// blocks put where there is room first, more than blocks_per_sm of them on one multiprocessor if they fit, and others
/// are left idle (seen on an H200: 238 us instead of 190). So they ask for as much shared memory as keeps one more out,
/// unless the second GEMM's fit beside those of the first: then each multiprocessor has room for one from the start.
int CudaPipeline::shared_bytes(Stage stage, const PipelineConfig& config) const {
  constexpr int kReserved = 1024;  // of each block
  const int all = static_cast<int>(gpu_->info().shared_memory_per_multiprocessor);
  const KernelPlan plan = plan_of(stage, config.stages.at(stage));
  if (plan.blocks_per_sm == 0) return plan.shared_bytes;
  const int alone = std::max(plan.shared_bytes, all / (plan.blocks_per_sm + 1) - kReserved + 128);
  if (config.impl == Impl::merged && stage == Stage::final) {
    const KernelPlan first = plan_of(Stage::gate, config.stages.at(Stage::gate));
    const int beside = first.blocks_per_sm * (shared_bytes(Stage::gate, config) + kReserved);
    if (first.blocks_per_sm > 0 && beside + plan.shared_bytes + kReserved <= all) return plan.shared_bytes;
  }
  return std::min<int>(alone, static_cast<int>(gpu_->info().shared_memory_per_block));
}

TensorGemmArguments CudaPipeline::with_tensors(const GemmArguments& arguments, Stage stage,
                                               const TensorBoxes& boxes) const {
  using Size = unsigned long long;
  const Size K = static_cast<Size>(arguments.K), pitch = 2 * K, rows = static_cast<Size>(arguments.weight_rows);
  const Size E = static_cast<Size>(problem_.E);
  TensorGemmArguments result{.weights = {}, .tokens = {}, .out = {}, .gemm = arguments};
  TensorShape weights{.sizes = {K, rows, E}, .strides = {pitch, rows * pitch}, .box = {boxes.depth, boxes.rows, 1}};
  if (stage == Stage::gate && boxes.groups == 0)
    weights = {.sizes = {K, rows / 2, 2, E},
               .strides = {pitch, rows / 2 * pitch, rows * pitch},
               .box = {boxes.depth, boxes.rows, boxes.halves, 1}};
  else if (stage == Stage::gate)
    weights = {.sizes = {K, 8, 2, rows / 16, E},
               .strides = {pitch, rows / 2 * pitch, 8 * pitch, rows * pitch},
               .box = {boxes.depth, boxes.rows, boxes.halves, boxes.groups, 1}};
  const bool second = stage == Stage::final;
  result.weights = gpu_->tensor_map(problem_.dtype, (second ? buffers_.w2 : buffers_.w1).address(), weights);
  if (second)
    result.tokens = gpu_->tensor_map(
        problem_.dtype, buffers_.cache2.address(),
        {.sizes = {K, static_cast<Size>(problem_.slots())}, .strides = {pitch}, .box = {boxes.depth, boxes.tokens}});
  if (boxes.store_columns > 0) {
    const Size out_pitch = 2 * static_cast<Size>(arguments.out_columns), window = 1ull << 30;
    const DevicePointer out = reinterpret_cast<DevicePointer>(arguments.out);
    result.out = gpu_->tensor_map(problem_.dtype, out - window * out_pitch,
                                  {.sizes = {static_cast<Size>(arguments.out_columns), window, 0x7fff0000},
                                   .strides = {out_pitch, out_pitch},
                                   .box = {boxes.store_columns, boxes.store_rows, 1}});
  }
  return result;
}

KernelPlan CudaPipeline::plan_of(Stage stage, const StageConfig& config) const {
  return find_engine(config.engine).kernel_plan(config.config, stage, problem_, token_tiles_);
}

void CudaPipeline::add_activate() {
  Launch launch{.function = gpu_->load(elementwise_source(problem_), "activate_and_mul"),
                .grid = blocks_for(problem_.slots() * problem_.inner() / 8, kElementwiseThreads),
                .block = kElementwiseThreads};
  // Without a map hardly a row is missing, so that none is looked for.
  const bool has_map = expert_map().local != nullptr;
  const int* const ids = buffers_.topk_ids.as<const int>();
  launch.set_arguments(ActivateArguments{.in = buffers_.cache1.as<const unsigned short>(),
                                         .out = buffers_.cache2.as<unsigned short>(),
                                         .row_count = has_map && !token_tiles_ ? row_count() : nullptr,
                                         .topk_ids = has_map && token_tiles_ ? ids : nullptr,
                                         .map = expert_map(),
                                         .rows = problem_.slots(),
                                         .columns = static_cast<int>(problem_.inner())});
  add(Stage::activate, std::move(launch));
}

void CudaPipeline::add_combine(const PipelineConfig& config) {
  const Stage last = tunable_stages_of(config.impl).back();
  const KernelPlan plan = plan_of(last, config.stages.at(last));
  if (plan.fuses_combine) return;
  // Few tokens: small blocks, so that the loads are spread over many SMs.
  const std::int64_t pieces = problem_.M * problem_.N2 / 8;
  const unsigned threads = pieces < 64 * 1024 ? 64 : kElementwiseThreads;
  Launch launch{.function = gpu_->load(elementwise_source(problem_), "moe_sum"),
                .grid = blocks_for(pieces, threads),
                .block = threads};
  launch.set_arguments(CombineArguments{.in = buffers_.cache3.as<const unsigned short>(),
                                        .slot_rows = token_tiles_ ? nullptr : buffers_.slot_rows.as<const int>(),
                                        .in_slot_order = token_tiles_ || !plan.row_order,
                                        .topk_ids = buffers_.topk_ids.as<const int>(),
                                        .map = expert_map(),
                                        .out = buffers_.out.as<unsigned short>(),
                                        .tokens = problem_.M,
                                        .topk = static_cast<int>(problem_.topk),
                                        .columns = static_cast<int>(problem_.N2)});
  add(Stage::combine, std::move(launch));
}

Result<OutputScan> CudaPipeline::run() {
  try {
    const Driver& d = gpu_->driver();
    gpu_->use();
    for (const Buffer* buffer : {&buffers_.cache1, &buffers_.cache2, &buffers_.cache3, &buffers_.out})
      d.check(d.fill_16_async(buffer->address(), kPoison, buffer->bytes() / 2, gpu_->stream()), "poisoning");
    d.check(d.fill_8_async(buffers_.scan.address(), 0, buffers_.scan.bytes(), gpu_->stream()), "clearing the scan");
    for (const Launch& launch : launches(std::nullopt)) gpu_->enqueue(launch);

    Launch scan{.function = gpu_->load({.path = "kernels/data/kernel.cu", .defines = {}}, "scan_output"),
                .grid = static_cast<unsigned>(gpu_->info().multiprocessors * 4),
                .block = 256};
    scan.set_arguments(ScanArguments{.in = buffers_.out.as<const unsigned short>(),
                                     .count = problem_.M * problem_.N2,
                                     .dtype = problem_.dtype,
                                     .poison = kPoison,
                                     .result = buffers_.scan.as<ScanResult>()});
    gpu_->enqueue(scan);
    gpu_->wait();
    ScanResult result{};
    buffers_.scan.download(std::span(&result, 1));
    return OutputScan{.hash = result.hash,
                      .nonfinite = static_cast<std::int64_t>(result.nonfinite),
                      .unwritten = static_cast<std::int64_t>(result.unwritten)};
  } catch (const DeviceError& error) {
    return error.failure;
  }
}

std::vector<float> CudaPipeline::read_rows(std::span<const std::int64_t> tokens) {
  const std::size_t columns = static_cast<std::size_t>(problem_.N2);
  std::vector<std::uint16_t> bits(tokens.size() * columns);
  // Runs of neighbouring rows in one copy each.
  for (std::size_t first = 0; first < tokens.size();) {
    std::size_t last = first + 1;
    while (last < tokens.size() && tokens[last] == tokens[last - 1] + 1) last++;
    buffers_.out.download(std::span(bits).subspan(first * columns, (last - first) * columns),
                          static_cast<std::size_t>(tokens[first]) * columns);
    first = last;
  }
  std::vector<float> values(bits.size());
  for (std::size_t i = 0; i < bits.size(); i++) values[i] = from_bits(problem_.dtype, bits[i]);
  return values;
}

std::vector<Launch> CudaPipeline::launches(std::optional<Stage> stage) const {
  std::vector<Launch> wanted;
  for (const Step& step : steps_)
    if (!stage || step.stage == *stage) wanted.push_back(step.launch);
  if (!wanted.empty()) wanted.front().overlaps_predecessor = false;
  return wanted;
}

Result<std::vector<double>> CudaPipeline::time(int n, const TimingOptions& options) {
  return time(std::nullopt, n, options);
}

Result<std::vector<double>> CudaPipeline::time_stage(Stage stage, int n, const TimingOptions& options) {
  return time(std::optional(stage), n, options);
}

Result<std::vector<double>> CudaPipeline::time(std::optional<Stage> stage, int n, const TimingOptions& options) {
  try {
    gpu_->use();
    const std::vector<Launch> work = launches(stage);
    if (work.empty())
      return std::vector<double>(static_cast<std::size_t>(n), 0.0);  // a stage that this problem does without
    const auto enqueue_all = [&] {
      for (const Launch& launch : work) gpu_->enqueue(launch);
    };
    const auto before = [&] {
      if (options.cache == CacheState::cold) gpu_->flush_cache();
    };
    const auto before_eager = [&] {
      before();
      gpu_->wait();
    };
    if (options.launch == LaunchMode::eager) return gpu_->time(n, before_eager, enqueue_all);
    if (options.launch == LaunchMode::stream) return gpu_->time(n, before, enqueue_all);
    ReadyGraph& graph = graphs_[stage];
    if (!graph) graph = gpu_->record(enqueue_all);
    return gpu_->time(n, before, [&] { graph.launch(gpu_->stream()); });
  } catch (const DeviceError& error) {
    return error.failure;
  }
}

}  // namespace moetune::cuda
