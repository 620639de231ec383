// Questions about a warp.
#pragma once

namespace moetune::ptx {

/// Bits of the lanes below this one.
__device__ __forceinline__ unsigned lanes_below() {
  unsigned mask;
  asm("mov.u32 %0, %%lanemask_lt;" : "=r"(mask));
  return mask;
}

}  // namespace moetune::ptx
