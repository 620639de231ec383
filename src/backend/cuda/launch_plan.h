#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "backend/cuda/gpu.h"
#include "kernel/kernel_source.h"
#include "kernels/lib/arguments.h"
#include "problem/problem.h"
#include "space/config.h"

namespace moetune::cuda {

/// How the routing kernels are launched: at most kMostRouteBlocks.
inline constexpr std::int64_t kMostRouteBlocks = 128;
struct RouteShape {
  bool counts_first = false;  ///< count_experts, then moe_align_block_size; else the latter alone
  int blocks = 1, warps = 4, slots_per_block = 0;
  int align_shared_bytes = 0, count_shared_bytes = 0;
};
RouteShape route_shape(std::int64_t slots, std::int64_t experts);

KernelSource routing_source();
/// Activation and combine.
KernelSource elementwise_source(const Problem& problem);

/// Where everything lies that the kernels of a problem read and write. Names and shapes as in kernels/lib/arguments.h;
/// null where a pipeline does without.
struct Addresses {
  DevicePointer hidden = 0, w1 = 0, b1 = 0, w2 = 0, b2 = 0, topk_ids = 0, topk_weights = 0, out = 0;
  DevicePointer expert_map = 0;                  ///< [global_experts], or null
  std::int64_t global_experts = 0;               ///< 0: as many as the problem has
  std::int64_t hidden_pitch = 0, out_pitch = 0;  ///< elements from row to row; 0: rows follow each other
  DevicePointer block_counts = 0, expert_offsets = 0, sorted_slots = 0, slot_rows = 0, row_weights = 0;
  DevicePointer tiles[2] = {}, tile_counts = 0;
  DevicePointer progress = 0, parts_done = 0, arrivals = 0, rows_done = 0;  ///< counters, which begin as zeros
  DevicePointer partials = 0;
  /// [slots, K]: tokens in row order. Nobody reads them any more when cache3 is written, which may lie there too.
  DevicePointer permuted = 0;
  DevicePointer cache1 = 0, cache2 = 0, cache3 = 0;
  /// Where the counters may be anything: ints that the routing kernel sets to zero, all counters among them.
  DevicePointer zeros = 0;
  int zero_count = 0;
};

/// Counters and parts that the kernels of a pipeline need, in bytes.
struct CounterBytes {
  std::int64_t parts_done = 0, arrivals = 0, rows_done = 0, partials = 0;
};

/// The kernels of a pipeline, loaded, with all that is known of their launches before the number of tokens and the
/// addresses are. Immutable once made: threads may share it.
class LaunchPlan {
 public:
  /// Loads every kernel. Throws DeviceError where one does not compile or does not fit. Of problem.M only
  /// uses_token_tiles() matters, which has to be the same for every M that follows.
  LaunchPlan(Gpu& gpu, const Problem& problem, const PipelineConfig& config);

  /// The launches for M tokens in order, each with its stage and the visitor's to change. Each may overlap the one
  /// ahead of it.
  using Visit = std::function<void(Stage, Launch&)>;
  void visit(std::int64_t M, const Addresses& at, const Visit& launch) const;

  /// What the kernels use for M tokens.
  CounterBytes counter_bytes(std::int64_t M) const;

  /// Whether they use counters at all where no routing kernel runs. One that does sets them to zero in any case.
  bool uses_counters() const;

  bool permutes_tokens() const { return gemms_.front().plan.permutes_tokens; }
  int least_block_m() const;  ///< of the tile tables: the most entries are tile_bound() of it
  bool token_tiles() const { return token_tiles_; }
  Impl impl() const { return impl_; }

 private:
  struct Gemm {
    Stage stage;
    KernelPlan plan;
    Function function = nullptr;
    int shared_bytes = 0;
    std::uint64_t maps = 0, second_maps = 0;  ///< keys of tensor maps; second: of the second GEMM in the same kernel
  };
  struct RouteKernels {
    Function count_experts = nullptr, align = nullptr;
  };
  struct Call {  ///< what all launches of a call share
    std::int64_t M, slots;
    const Addresses& at;
    const Visit& launch;
  };

  void visit_route(const Call& call) const;
  void visit_permute(Stage stage, const Call& call) const;
  void visit_gemm(const Gemm& gemm, const Call& call) const;
  void visit_activate(const Call& call) const;
  void visit_clear(Stage stage, const Call& call) const;
  void visit_combine(const Call& call) const;
  GemmArguments gemm_arguments(Stage stage, const KernelPlan& plan, const Call& call) const;
  TensorGemmArguments with_tensors(const GemmArguments& arguments, Stage stage, const TensorBoxes& boxes,
                                   std::uint64_t maps, const Call& call) const;
  std::int64_t row_tiles(const KernelPlan& plan, std::int64_t slots) const;  ///< at most
  int early_blocks(const KernelPlan& plan, const Call& call) const;
  int hidden_pitch(const Addresses& at) const;
  int out_pitch(const Addresses& at) const;
  ExpertMap expert_map(const Addresses& at) const;
  const int* row_count(const Addresses& at) const;  ///< [1] on the device: how many rows routing has made
  std::int64_t column_tiles(const Gemm& gemm) const;
  int shared_bytes(const KernelPlan& plan, const KernelPlan* gate) const;

  const Gpu& gpu_;
  Problem problem_;  ///< of any M
  Impl impl_;
  bool token_tiles_;
  std::vector<Gemm> gemms_;  ///< in order
  RouteKernels route_, route_mapped_;
  Function permute_ = nullptr, activate_ = nullptr, clear_ = nullptr, sum_ = nullptr, sum_of_mapped_ = nullptr;
};

}  // namespace moetune::cuda
