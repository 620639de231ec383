#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "backend/cuda/launch_plan.h"
#include "kernel/grouped_gemm.h"
#include "library/memory_map.h"
#include "library/plan.h"

namespace moetune {
namespace {

using cuda::Addresses;
using cuda::DevicePointer;

/// The calling thread's context is the GPU's while this lives, and then again what it was.
class UseGpu {
 public:
  explicit UseGpu(const cuda::Gpu& gpu) : guard_(gpu.driver()) {
    if (guard_.before() != gpu.context()) gpu.use();
  }

 private:
  cuda::ContextGuard guard_;
};

/// What the kernels keep in the workspace, as addresses from `first` on.
struct Layout {
  Addresses at;
  std::size_t size = 0;

  Layout(const Problem& problem, const cuda::LaunchPlan& launches, std::int64_t M, DevicePointer first) {
    const std::int64_t slots = M * problem.topk, sorted = launches.token_tiles() ? 0 : slots;
    const cuda::CounterBytes bytes = launches.counter_bytes(M);
    MemoryMap map;
    const auto place = [&](std::int64_t size_of) { return first + map.add(size_of); };

    // All counters stand together, so that they are set to zero in one go.
    constexpr std::int64_t kProgress = 4 * sizeof(int);
    const std::int64_t counters = kProgress + bytes.parts_done + bytes.arrivals + bytes.rows_done;
    at.zeros = at.progress = place(counters);
    at.parts_done = at.progress + kProgress;
    at.arrivals = at.parts_done + static_cast<DevicePointer>(bytes.parts_done);
    at.rows_done = at.arrivals + static_cast<DevicePointer>(bytes.arrivals);
    at.zero_count = static_cast<int>(counters / static_cast<std::int64_t>(sizeof(int)));

    if (sorted > 0) {
      const std::int64_t tiles =
          tile_bound(slots, problem.E, launches.least_block_m()) * static_cast<std::int64_t>(sizeof(RowTile));
      const bool counts_first = cuda::route_shape(slots, problem.E).counts_first;
      at.block_counts = place(counts_first ? 4 * cuda::kMostRouteBlocks * problem.E : 0);
      at.expert_offsets = place(4 * (problem.E + 1));
      at.tile_counts = place(2 * sizeof(int));
      for (DevicePointer& table : at.tiles) table = place(tiles);
    }
    at.sorted_slots = place(4 * sorted);
    at.slot_rows = place(4 * sorted);
    at.row_weights = place(4 * sorted);
    at.partials = place(bytes.partials);
    at.cache2 = place(2 * slots * problem.inner());
    // What the first GEMM writes has been read before the second writes, and so have the tokens put in order.
    const std::int64_t permuted = launches.permutes_tokens() ? problem.K : 0;
    if (launches.impl() == Impl::three_kernel) {
      at.permuted = place(2 * slots * permuted);
      at.cache1 = at.cache3 = place(2 * slots * std::max(problem.N1, problem.N2));
    } else {
      at.permuted = at.cache3 = place(2 * slots * std::max(permuted, problem.N2));
    }
    size = map.size();
  }
};

class CudaPlan final : public Plan {
 public:
  CudaPlan(std::shared_ptr<cuda::Gpu> gpu, Problem problem, std::int64_t global_experts,
           std::vector<ConfigRange> ranges)
      : Plan(std::move(problem), global_experts, std::move(ranges)), gpu_(std::move(gpu)) {
    const UseGpu use(*gpu_);
    for (const ConfigRange& range : this->ranges()) {
      Problem at = this->problem();
      at.M = range.to;
      launches_.push_back(std::make_unique<cuda::LaunchPlan>(*gpu_, at, range.config));
      const std::size_t most = Layout(at, *launches_.back(), range.to, 0).size;
      most_up_to_.push_back(most_up_to_.empty() ? most : std::max(most_up_to_.back(), most));
    }
  }

  std::size_t workspace_size(std::int64_t M) const override {
    if (M == 0) return 0;
    const std::size_t range = range_of(M);
    return std::max(range == 0 ? 0 : most_up_to_[range - 1], Layout(problem(), *launches_[range], M, 0).size);
  }

  void run(const moe_arguments& call) const override {
    const cuda::LaunchPlan& launches = *launches_[range_of(call.M)];
    const Layout layout(problem(), launches, call.M, MemoryMap::first(call.workspace));
    Addresses at = layout.at;
    const auto address = [](const void* data) { return reinterpret_cast<DevicePointer>(data); };
    at.hidden = address(call.hidden_states);
    at.w1 = address(call.w1);
    at.b1 = address(call.b1);
    at.w2 = address(call.w2);
    at.b2 = address(call.b2);
    at.topk_ids = address(call.topk_ids);
    at.topk_weights = address(call.topk_weights);
    at.expert_map = address(call.expert_map);
    at.global_experts = nameable_experts();
    at.out = address(call.out);
    at.hidden_pitch = call.hidden_states_stride;
    at.out_pitch = call.out_stride;

    const UseGpu use(*gpu_);
    const auto stream = static_cast<cuda::Stream>(call.stream);
    if (launches.token_tiles() && launches.uses_counters())  // no routing kernel does it
      gpu_->driver().check(
          gpu_->driver().fill_8_async(at.zeros, 0, 4 * static_cast<std::size_t>(at.zero_count), stream),
          "clearing counters");
    bool is_first = true;
    auto enqueue = [&](Stage, Launch& launch) {
      if (is_first) launch.overlaps_predecessor = false;  // who knows what is ahead in the caller's stream
      is_first = false;
      gpu_->enqueue(launch, stream);
    };
    launches.visit(call.M, at, std::ref(enqueue));
  }

  std::vector<std::int32_t> read_ids(const moe_arguments& call) const override {
    const UseGpu use(*gpu_);
    const cuda::Driver& driver = gpu_->driver();
    driver.check(driver.stream_synchronize(static_cast<cuda::Stream>(call.stream)), "waiting for the stream");
    std::vector<std::int32_t> ids(static_cast<std::size_t>(call.M * problem().topk));
    driver.check(driver.copy_to_host(ids.data(), reinterpret_cast<DevicePointer>(call.topk_ids), 4 * ids.size()),
                 "reading topk_ids");
    return ids;
  }

 private:
  using Launch = cuda::Launch;

  std::shared_ptr<cuda::Gpu> gpu_;
  std::vector<std::unique_ptr<const cuda::LaunchPlan>> launches_;  // of each range
  std::vector<std::size_t> most_up_to_;  // bytes of workspace: of each range and those before it
};

}  // namespace

std::unique_ptr<Plan> make_cuda_plan(std::shared_ptr<cuda::Gpu> gpu, Problem problem, std::int64_t global_experts,
                                     std::vector<ConfigRange> ranges) {
  // Kernels differ on either side of where routing begins.
  std::vector<ConfigRange> split;
  for (ConfigRange& range : ranges) {
    const std::int64_t last = last_token_tiles_M(problem);
    split.push_back(range);
    if (range.from <= last && last < range.to) {
      split.back().to = last;
      range.from = last + 1;
      split.push_back(range);
    }
  }
  return std::make_unique<CudaPlan>(std::move(gpu), std::move(problem), global_experts, std::move(split));
}

}  // namespace moetune
