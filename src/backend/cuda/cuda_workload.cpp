#include "backend/cuda/cuda_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backend/cuda/cuda_pipeline.h"
#include "base/error.h"
#include "data/fill.h"
#include "kernel/engine.h"
#include "kernels/lib/arguments.h"

namespace moetune::cuda {

std::vector<std::int64_t> ProblemBuffers::sizes(const Problem& p) {
  const auto tensor = [&](Tensor which) { return 2 * element_count(p, which); };
  const std::int64_t slots = p.slots();
  const RouteShape route = route_shape(slots, p.E);
  const std::int64_t tiles = tile_bound(slots, p.E, kLeastBlockM) * static_cast<std::int64_t>(sizeof(RowTile));
  return {tensor(Tensor::hidden),
          tensor(Tensor::w1),
          tensor(Tensor::b1),
          tensor(Tensor::w2),
          tensor(Tensor::b2),
          4 * slots,
          4 * slots,
          p.ep_ranks > 1 ? 4 * p.global_experts() : 0,
          route.counts_first ? 4 * route.blocks * p.E : 0,
          4 * (p.E + 1),
          4 * slots,
          4 * slots,
          4 * slots,
          tiles,
          tiles,
          2 * static_cast<std::int64_t>(sizeof(int)),
          4 * static_cast<std::int64_t>(sizeof(int)),
          kPartialBytes,
          kPartCounters * static_cast<std::int64_t>(sizeof(int)),
          tile_bound(slots, p.E, kLeastBlockM) * static_cast<std::int64_t>(sizeof(int)),
          p.M * ((p.N2 + kLeastFusedColumns - 1) / kLeastFusedColumns) * static_cast<std::int64_t>(sizeof(int)),
          2 * slots * p.N1,
          2 * slots * p.inner(),
          2 * slots * std::max(p.N2, p.K),
          2 * p.M * p.N2,
          static_cast<std::int64_t>(sizeof(ScanResult))};
}

ProblemBuffers::ProblemBuffers(const Driver& driver, const Problem& problem) {
  const std::vector<std::int64_t> bytes = sizes(problem);
  Buffer* const members[] = {&hidden,       &w1,           &b1,          &w2,           &b2,
                             &topk_ids,     &topk_weights, &expert_map,  &block_counts, &expert_offsets,
                             &sorted_slots, &slot_rows,    &row_weights, &tiles[0],     &tiles[1],
                             &tile_counts,  &progress,     &partials,    &parts_done,   &rows_done,
                             &arrivals,     &cache1,       &cache2,      &cache3,       &out,
                             &scan};
  for (std::size_t i = 0; i < bytes.size(); i++) *members[i] = Buffer(driver, static_cast<std::size_t>(bytes[i]));
  // Counters begin at zero. Tables do because kernels ask for entries before they know how many there are.
  for (const Buffer* zeros : {&progress, &parts_done, &arrivals, &rows_done, &tiles[0], &tiles[1]})
    zeros->upload(std::span<const int>(std::vector<int>(zeros->bytes() / sizeof(int))));
}

Addresses ProblemBuffers::addresses() const {
  return {.hidden = hidden.address(),
          .w1 = w1.address(),
          .b1 = b1.address(),
          .w2 = w2.address(),
          .b2 = b2.address(),
          .topk_ids = topk_ids.address(),
          .topk_weights = topk_weights.address(),
          .out = out.address(),
          .expert_map = expert_map.address(),
          .block_counts = block_counts.address(),
          .expert_offsets = expert_offsets.address(),
          .sorted_slots = sorted_slots.address(),
          .slot_rows = slot_rows.address(),
          .row_weights = row_weights.address(),
          .tiles = {tiles[0].address(), tiles[1].address()},
          .tile_counts = tile_counts.address(),
          .progress = progress.address(),
          .parts_done = parts_done.address(),
          .arrivals = arrivals.address(),
          .rows_done = rows_done.address(),
          .partials = partials.address(),
          .permuted = cache3.address(),
          .cache1 = cache1.address(),
          .cache2 = cache2.address(),
          .cache3 = cache3.address()};
}

CudaWorkload::CudaWorkload(std::shared_ptr<Gpu> gpu, Problem problem, const DataSpec& data)
    : gpu_(std::move(gpu)), problem_(std::move(problem)), buffers_(gpu_->driver(), problem_) {
  refill(data);
}

void CudaWorkload::refill(const DataSpec& data) {
  try {
    gpu_->use();
    data_ = data;
    upload(make_routing(problem_, data));
    fill(Tensor::hidden, buffers_.hidden);
    fill(Tensor::w1, buffers_.w1);
    fill(Tensor::b1, buffers_.b1);
    fill(Tensor::w2, buffers_.w2);
    fill(Tensor::b2, buffers_.b2);
    gpu_->wait();
  } catch (const DeviceError& error) {
    throw Error(fmt::format("{}: filling the inputs of {} failed: {}", gpu_->info().id, to_line(problem_),
                            error.failure.reason));
  }
}

void CudaWorkload::reroute(int draw) {
  try {
    gpu_->use();
    upload(make_routing(problem_, data_, draw));
  } catch (const DeviceError& error) {
    throw Error(fmt::format("{}: changing the routing of {} failed: {}", gpu_->info().id, to_line(problem_),
                            error.failure.reason));
  }
}

void CudaWorkload::upload(Routing routing) {
  routing_ = std::move(routing);
  buffers_.topk_ids.upload(std::span<const std::int32_t>(routing_.topk_ids));
  buffers_.topk_weights.upload(std::span<const float>(routing_.topk_weights));
  if (!routing_.expert_map.empty()) buffers_.expert_map.upload(std::span<const std::int32_t>(routing_.expert_map));
}

void CudaWorkload::fill(Tensor tensor, const Buffer& buffer) {
  if (buffer.bytes() == 0) return;
  Launch launch{.function = gpu_->load({.path = "kernels/data/kernel.cu", .defines = {}}, "fill_tensor"),
                .grid = static_cast<unsigned>(gpu_->info().multiprocessors * 8),
                .block = 256};
  launch.set_arguments(FillArguments{.spec = fill_spec(problem_, tensor, data_),
                                     .out = buffer.as<unsigned short>(),
                                     .count = static_cast<long long>(buffer.bytes() / 2)});
  gpu_->enqueue(launch);
}

Result<std::unique_ptr<Pipeline>> CudaWorkload::build(const PipelineConfig& config) {
  for (const Stage stage : tunable_stages_of(config.impl)) {
    const auto found = config.stages.find(stage);
    if (found == config.stages.end())
      return Failure{Outcome::invalid, fmt::format("no config for the stage {}", to_string(stage))};
    const Engine& engine = find_engine(found->second.engine);
    if (const auto reason = engine.why_invalid(found->second.config, stage, problem_, gpu_->info()))
      return Failure{Outcome::invalid, fmt::format("{}: {}", to_string(stage), *reason)};
  }
  try {
    gpu_->use();
    return std::unique_ptr<Pipeline>(std::make_unique<CudaPipeline>(gpu_, problem_, buffers_, config));
  } catch (const DeviceError& error) {
    return error.failure;
  }
}

}  // namespace moetune::cuda
