#pragma once

#include "kernel/engine.h"

namespace moetune {

/// The portable CUDA engine (kernels/mma): mma.sync with cp.async, compute capability 8.0 and later.
const Engine& mma_engine();

}  // namespace moetune
