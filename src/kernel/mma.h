#pragma once

#include "kernel/engine.h"
#include "kernel/kernel_source.h"
#include "kernels/mma/traits.h"

namespace moetune {

/// The portable CUDA engine: mma.sync with cp.async, compute capability 8.0 and later.
const Engine& mma_engine();

/// The engine's own form of a config. Throws Error where a parameter is missing.
mma::Config to_mma_config(const Config& config);

/// The kernel of a tunable stage. `token_tiles`: each slot is a tile of its own and no routing has run.
KernelPlan mma_kernel_plan(const Config& config, Stage stage, const Problem& problem, bool token_tiles);

}  // namespace moetune
