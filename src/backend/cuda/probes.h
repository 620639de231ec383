#pragma once

#include "backend/cuda/gpu.h"

namespace moetune::cuda {

/// Rate of reading 4 GiB (or half of what is free) in one kernel, bytes/s: the best of some medians over 20 times, one
/// after the other.
double measure_read_bandwidth(Gpu& gpu);

/// FLOP/s of cuBLAS on a square bf16 product of side 8192, median of single products after short pauses, so that the
/// power limit does not bite: the rate that bursts reach. 0 where cuBLAS is not installed.
double measure_matrix_rate(Gpu& gpu);

}  // namespace moetune::cuda
