#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "backend/device.h"
#include "backend/device_ids.h"

namespace moetune {

std::unique_ptr<Device> open_device(std::string_view id, std::shared_ptr<ProgramCompiler> compiler) {
  const DevicePlace place = parse_device_id(id);
  if (place.backend == Backend::cpu) return make_cpu_device();
  return make_cuda_device(place.index, std::move(compiler));
}

}  // namespace moetune
