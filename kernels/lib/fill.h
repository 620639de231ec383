// The values of the input tensors: a function of (seed, tensor, flat index), the same on host and device.
#pragma once

#include "kernels/lib/float16.h"

namespace moetune {

enum class Tensor : int { hidden, w1, b1, w2, b2 };

/// How one tensor is filled. A flat index is read as (…, row, column) of rows × columns matrices; `gate_rows` rows at
/// the start of each matrix are the gate half of w1 or b1, and zero for the other tensors.
struct FillSpec {
  DType dtype = DType::bf16;
  bool exact = false;
  unsigned long long key = 0;  ///< fill_key(seed, tensor)
  float scale = 1.0f;          ///< random: standard deviation
  unsigned density = 0;        ///< exact: an element is nonzero where 32 random bits are below this (gate rows)
  unsigned up_density = 0;     ///< the same for all other rows
  float magnitude = 1.0f;      ///< exact: the nonzero value in gate rows
  bool positive = false;       ///< exact: rows other than gate rows hold +1 only, not ±1
  long long rows = 1;
  long long columns = 1;
  long long gate_rows = 0;
};

/// splitmix64's finalizer (Steele, Lea, Flood 2014).
MOETUNE_HOST_DEVICE unsigned long long mix_bits(unsigned long long x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

MOETUNE_HOST_DEVICE unsigned long long fill_key(unsigned long long seed, Tensor tensor) {
  return mix_bits(mix_bits(seed + 0x9e3779b97f4a7c15ull) + static_cast<unsigned long long>(tensor));
}

MOETUNE_HOST_DEVICE unsigned long long random_bits(unsigned long long key, unsigned long long index) {
  return mix_bits(key + index * 0x9e3779b97f4a7c15ull);
}

/// Near-normal with unit variance: the sum of the eight bytes, centred. |value| < 4.9.
MOETUNE_HOST_DEVICE float near_normal(unsigned long long bits, float scale) {
  const unsigned long long pairs = (bits & 0x00ff00ff00ff00ffull) + ((bits >> 8) & 0x00ff00ff00ff00ffull);
  const int sum = static_cast<int>((pairs * 0x0001000100010001ull) >> 48);
  return static_cast<float>(sum - 1020) * (scale * 0.0047841597f);  // 1 / sqrt(8·(256² - 1) / 12)
}

/// The element as a float that still has to be rounded to the tensor's dtype.
MOETUNE_HOST_DEVICE float fill_value(const FillSpec& spec, long long index) {
  const unsigned long long bits = random_bits(spec.key, static_cast<unsigned long long>(index));
  if (!spec.exact) return near_normal(bits, spec.scale);
  const bool gate = (index / spec.columns) % spec.rows < spec.gate_rows;
  const unsigned low = static_cast<unsigned>(bits);
  if (gate) return low < spec.density ? spec.magnitude : 0.0f;
  if (low >= spec.up_density) return 0.0f;
  return spec.positive || (bits >> 63) == 0 ? 1.0f : -1.0f;
}

MOETUNE_HOST_DEVICE unsigned short fill_bits(const FillSpec& spec, long long index) {
  return to_bits(spec.dtype, fill_value(spec, index));
}

}  // namespace moetune
