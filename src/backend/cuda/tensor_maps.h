#pragma once

#include <array>
#include <cstdint>

#include "backend/cuda/driver.h"
#include "kernels/lib/tensor_map.h"

namespace moetune::cuda {

/// Tensor maps that a thread has described before. Describing one is a call to the driver, up to five for each call of
/// a pipeline, most of which meets weights that it has met before.
class TensorMaps {
 public:
  /// The map with this key (which stands for all but address and rows); `describe` makes it.
  template <class Describe>
  const TensorMap& at(std::uint64_t key, DevicePointer address, std::int64_t rows, const Describe& describe) {
    const std::uint64_t mixed = (key * 0x9e3779b97f4a7c15ull) ^ (address >> 8) * 0xbf58476d1ce4e5b9ull ^
                                static_cast<std::uint64_t>(rows) * 0x94d049bb133111ebull;
    Entry& entry = entries_[(mixed ^ mixed >> 29) % entries_.size()];
    if (entry.key != key || entry.address != address || entry.rows != rows)
      entry = {.map = describe(), .key = key, .address = address, .rows = rows};
    return entry.map;
  }

 private:
  struct Entry {
    TensorMap map;
    std::uint64_t key = 0;  ///< of none
    DevicePointer address = 0;
    std::int64_t rows = 0;
  };
  std::array<Entry, 1024> entries_;
};

TensorMaps& tensor_maps_of_thread();

/// Keys for the maps of a GEMM: weights, tokens, output.
std::uint64_t new_map_keys();

}  // namespace moetune::cuda
