#pragma once

#include "kernel/h200.h"
#include "kernel/mma.h"
#include "search/stage_space.h"

namespace moetune {

/// The gate stage of Qwen3-30B-A3B on an H200, with the engine `mma`.
inline StageSpace qwen_space(std::int64_t M, const SearchSpace& axes) {
  const Problem problem{.M = M, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
  return make_stage_space(problem, Stage::gate, kH200, {{.engine = &mma_engine(), .space = axes}});
}

}  // namespace moetune
