// What the driver's cuTensorMapEncodeTiled fills in: a tensor's address, sizes, strides and box. Opaque, and passed to
// kernels by value.
#pragma once

namespace moetune {

struct alignas(64) TensorMap {
  unsigned long long words[16];
};

}  // namespace moetune
