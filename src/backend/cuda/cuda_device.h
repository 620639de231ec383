#pragma once

#include <memory>

#include "backend/device.h"

namespace moetune {

/// How many GPUs the driver shows; 0 without a driver.
int count_cuda_devices();

/// GPU `index`, its kernels compiled by `compiler`. Throws Error (exit code no_device) saying what is missing.
std::unique_ptr<Device> make_cuda_device(int index, std::shared_ptr<ProgramCompiler> compiler = compile_here());

}  // namespace moetune
