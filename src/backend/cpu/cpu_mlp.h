#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "backend/cpu/host.h"
#include "kernels/cpu/route.h"
#include "problem/problem.h"
#include "space/config.h"

namespace moetune {

/// Where everything lies that a pipeline reads and writes. Null where it does without.
struct CpuAddresses {
  const std::uint16_t* hidden = nullptr;     ///< [M, K]
  const std::uint16_t* w1 = nullptr;         ///< [E, N1, K]
  const std::uint16_t* b1 = nullptr;         ///< [E, N1]
  const std::uint16_t* w2 = nullptr;         ///< [E, N2, N1/2]
  const std::uint16_t* b2 = nullptr;         ///< [E, N2]
  const std::int32_t* topk_ids = nullptr;    ///< [M, topk]
  const float* topk_weights = nullptr;       ///< [M, topk]
  const std::int32_t* expert_map = nullptr;  ///< [global_experts]: the expert here, or -1; null: ids are those here
  std::int64_t global_experts = 0;
  std::int32_t* sorted_slots = nullptr;          ///< [slots], grouped by expert
  std::uint16_t* cache1 = nullptr;               ///< [slots, N1] in expert order; of three_kernel only
  std::uint16_t* cache2 = nullptr;               ///< [slots, N1/2] in expert order
  std::uint16_t* cache3 = nullptr;               ///< [M, topk, N2]
  std::uint16_t* out = nullptr;                  ///< [M, N2]
  std::int64_t hidden_pitch = 0, out_pitch = 0;  ///< elements from row to row; 0: rows follow each other
};

/// The stages of a pipeline on the host, for any number of tokens anywhere in memory. One call at a time.
class CpuMlp {
 public:
  /// Scratch memory is the host's.
  CpuMlp(Host& host, const Problem& problem, const PipelineConfig& config);

  /// Of M tokens. A stage after route belongs to the routing that route() was run with last.
  void run_stage(Stage stage, std::int64_t M, const CpuAddresses& at);
  void run(std::int64_t M, const CpuAddresses& at);

  /// What run() reads and writes beside what it is given: tables and scratch memory. Up to the next run.
  std::vector<std::span<const std::byte>> own_memory() const;

 private:
  struct Gemm {
    cpu::TileShape shape;
    int threads = 1;
    std::size_t scratch_floats = 0;  ///< of each thread
    cpu::TileTable tiles{};          ///< made by route()
  };

  ExpertMap expert_map(const CpuAddresses& at) const;
  void route(std::int64_t M, const CpuAddresses& at);
  void multiply(Stage stage, const CpuAddresses& at);
  void activate(const CpuAddresses& at);
  void combine(std::int64_t M, const CpuAddresses& at);

  Host& host_;
  Problem problem_;  ///< of any M
  Impl impl_;
  std::map<Stage, Gemm> gemms_;
  std::vector<std::int64_t> counts_, group_begin_;  // [threads, E]; [E + 1]: where experts' rows begin, by route()
};

}  // namespace moetune
