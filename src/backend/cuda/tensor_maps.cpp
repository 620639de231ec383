#include "backend/cuda/tensor_maps.h"

#include <atomic>
#include <memory>

namespace moetune::cuda {

TensorMaps& tensor_maps_of_thread() {
  thread_local const std::unique_ptr<TensorMaps> maps = std::make_unique<TensorMaps>();
  return *maps;
}

std::uint64_t new_map_keys() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(3);
}

}  // namespace moetune::cuda
