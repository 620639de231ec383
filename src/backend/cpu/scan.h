#pragma once

#include <span>

#include "backend/cpu/thread_pool.h"
#include "reference/reference.h"

namespace moetune {

/// Hashes an output of `dtype` and counts what is neither written nor finite. The hash is a sum over the elements, so
/// it does not depend on which thread looked at which.
OutputScan scan_output(ThreadPool& pool, DType dtype, std::span<const std::uint16_t> output);

}  // namespace moetune
