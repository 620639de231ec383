#pragma once

#include "kernel/mma.h"
#include "search/stage_space.h"

namespace moetune {

/// The gate stage of Qwen3-30B-A3B on an H200, with the engine `mma`.
inline StageSpace qwen_space(std::int64_t M, const SearchSpace& axes) {
  const Problem problem{.M = M, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
  const DeviceInfo device{.backend = Backend::cuda,
                          .compute_capability = 90,
                          .multiprocessors = 132,
                          .shared_memory_per_block = 232448,
                          .shared_memory_per_multiprocessor = 233472,
                          .registers_per_multiprocessor = 65536};
  return make_stage_space(problem, Stage::gate, device, {{.engine = &mma_engine(), .space = axes}});
}

}  // namespace moetune
