#pragma once

#include "space/config.h"

namespace moetune {

/// A config of `mma`.
inline Config mma_config(int m, int n, int k, int group, int warps, int stages) {
  return {{"BLOCK_SIZE_M", m},     {"BLOCK_SIZE_N", n},  {"BLOCK_SIZE_K", k},
          {"GROUP_SIZE_M", group}, {"num_warps", warps}, {"num_stages", stages}};
}

}  // namespace moetune
