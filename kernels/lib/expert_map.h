// Which experts live on a device, for host and device.
#pragma once

#include "kernels/lib/float16.h"

namespace moetune {

/// From the experts that tokens choose (global) to those whose weights are here (local).
struct ExpertMap {
  const int* local;  ///< [global]: the expert here, or -1 elsewhere; null: local and global are the same
  int global;        ///< experts that can be chosen
  int experts;       ///< of them here
};

/// The expert here, or -1 where it lives elsewhere or the choice is none at all. Whatever ids and maps hold, nothing is
/// read outside the map and nothing outside [0, experts) comes out.
MOETUNE_HOST_DEVICE int local_expert(const ExpertMap& map, int id) {
  if (id < 0 || id >= map.global) return -1;
  const int expert = map.local == nullptr ? id : map.local[id];
  return expert >= 0 && expert < map.experts ? expert : -1;
}

}  // namespace moetune
