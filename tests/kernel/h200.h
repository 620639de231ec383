#pragma once

#include "problem/device_info.h"

namespace moetune {

/// An H200, as far as kernels and their configs are chosen for it.
inline const DeviceInfo kH200{.backend = Backend::cuda,
                              .compute_capability = 90,
                              .multiprocessors = 132,
                              .shared_memory_per_block = 232448,
                              .shared_memory_per_multiprocessor = 233472,
                              .registers_per_multiprocessor = 65536};

}  // namespace moetune
