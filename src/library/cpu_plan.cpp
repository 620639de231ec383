#include <algorithm>
#include <mutex>

#include "backend/cpu/cpu_mlp.h"
#include "library/memory_map.h"
#include "library/plan.h"

namespace moetune {
namespace {

/// The intermediates of a call, as offsets.
struct Layout {
  MemoryMap map;
  std::size_t sorted_slots, cache1, cache2, cache3;

  Layout(const Problem& problem, Impl impl, std::int64_t M)
      : sorted_slots(map.add(4 * M * problem.topk)),
        cache1(map.add(impl == Impl::three_kernel ? 2 * M * problem.topk * problem.N1 : 0)),
        cache2(map.add(2 * M * problem.topk * problem.inner())),
        cache3(map.add(2 * M * problem.topk * problem.N2)) {}
};

class CpuPlan final : public Plan {
 public:
  CpuPlan(std::shared_ptr<CpuEngine> engine, Problem problem, std::int64_t global_experts,
          std::vector<ConfigRange> ranges)
      : Plan(std::move(problem), global_experts, std::move(ranges)), engine_(std::move(engine)) {
    const std::lock_guard lock(engine_->mutex);  // scratch memory grows
    for (const ConfigRange& range : this->ranges()) mlps_.emplace_back(engine_->host, this->problem(), range.config);
  }

  std::size_t workspace_size(std::int64_t M) const override {
    return Layout(problem(), ranges().front().config.impl, M).map.size();
  }

  void run(const moe_arguments& call) const override {
    const std::size_t range = range_of(call.M);
    const Layout layout(problem(), ranges()[range].config.impl, call.M);
    const std::uintptr_t first = MemoryMap::first(call.workspace);
    const auto half = [](const void* data) { return static_cast<const std::uint16_t*>(data); };
    const CpuAddresses at{.hidden = half(call.hidden_states),
                          .w1 = half(call.w1),
                          .b1 = half(call.b1),
                          .w2 = half(call.w2),
                          .b2 = half(call.b2),
                          .topk_ids = call.topk_ids,
                          .topk_weights = call.topk_weights,
                          .expert_map = call.expert_map,
                          .global_experts = nameable_experts(),
                          .sorted_slots = reinterpret_cast<std::int32_t*>(first + layout.sorted_slots),
                          .cache1 = reinterpret_cast<std::uint16_t*>(first + layout.cache1),
                          .cache2 = reinterpret_cast<std::uint16_t*>(first + layout.cache2),
                          .cache3 = reinterpret_cast<std::uint16_t*>(first + layout.cache3),
                          .out = static_cast<std::uint16_t*>(call.out),
                          .hidden_pitch = call.hidden_states_stride,
                          .out_pitch = call.out_stride};
    const std::lock_guard lock(engine_->mutex);
    mlps_[range].run(call.M, at);
  }

  std::vector<std::int32_t> read_ids(const moe_arguments& call) const override {
    return {call.topk_ids, call.topk_ids + call.M * problem().topk};
  }

 private:
  std::shared_ptr<CpuEngine> engine_;
  mutable std::vector<CpuMlp> mlps_;  // of each range; theirs is the engine's mutex
};

}  // namespace

std::unique_ptr<Plan> make_cpu_plan(std::shared_ptr<CpuEngine> engine, Problem problem, std::int64_t global_experts,
                                    std::vector<ConfigRange> ranges) {
  return std::make_unique<CpuPlan>(std::move(engine), std::move(problem), global_experts, std::move(ranges));
}

}  // namespace moetune
