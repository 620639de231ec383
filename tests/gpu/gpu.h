#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "backend/cuda/cuda_device.h"

namespace moetune {

/// The first GPU, shared by all tests of a program; null where there is none.
inline Device* gpu() {
  static const std::unique_ptr<Device> device = count_cuda_devices() > 0 ? make_cuda_device(0) : nullptr;
  return device.get();
}

#define MOETUNE_NEEDS_GPU() \
  if (gpu() == nullptr) GTEST_SKIP() << "needs an NVIDIA GPU"

}  // namespace moetune
