#pragma once

#include <memory>

#include "backend/cuda/gpu.h"
#include "backend/cuda/launch_plan.h"
#include "backend/device.h"
#include "kernels/lib/fill.h"

namespace moetune::cuda {

/// The smallest BLOCK_SIZE_M of any engine: sizes the tile tables.
inline constexpr int kLeastBlockM = 8;

/// The fewest columns of a tile that any engine's fused combine counts arrivals for.
inline constexpr int kLeastFusedColumns = 64;

/// Everything a problem keeps on the device. Names and shapes as in kernels/lib/arguments.h.
struct ProblemBuffers {
  Buffer hidden, w1, b1, w2, b2, topk_ids, topk_weights;
  Buffer expert_map;  ///< [global experts]; empty without expert parallelism
  Buffer block_counts, expert_offsets, sorted_slots, slot_rows, row_weights, tiles[2], tile_counts, progress, partials,
      parts_done, arrivals, rows_done;
  Buffer cache1, cache2, cache3, out;
  Buffer scan;

  /// Sizes in bytes, in the order of the members.
  static std::vector<std::int64_t> sizes(const Problem& problem);
  ProblemBuffers(const Driver& driver, const Problem& problem);

  Addresses addresses() const;
};

class CudaWorkload final : public Workload {
 public:
  CudaWorkload(std::shared_ptr<Gpu> gpu, Problem problem, const DataSpec& data);

  const Problem& problem() const override { return problem_; }
  const DataSpec& data() const override { return data_; }
  const Routing& routing() const override { return routing_; }
  void refill(const DataSpec& data) override;
  void reroute(int draw) override;
  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) override;

 private:
  void fill(Tensor tensor, const Buffer& buffer);
  void upload(Routing routing);

  std::shared_ptr<Gpu> gpu_;
  Problem problem_;
  DataSpec data_;
  Routing routing_;
  ProblemBuffers buffers_;
};

}  // namespace moetune::cuda
