#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/lib/types.h"

namespace moetune {

/// Rounds to the nearest value of the dtype, ties to even, in one step: going through float would round twice. Overflow
/// gives infinity.
inline double round_to(DType dtype, double value) {
  if (!std::isfinite(value)) return value;
  const bool bf16 = dtype == DType::bf16;
  const std::int64_t fraction_bits = bf16 ? 7 : 10;
  const std::int64_t least_exponent = bf16 ? -126 : -14;  // of a normal number
  const double largest = bf16 ? 0x1.fep127 : 65504.0;

  // Adding 2^(exponent + 52 - fraction_bits) leaves no room for what lies below the last place.
  const double magnitude = std::fabs(value);
  const std::int64_t exponent =
      std::max(static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(magnitude) >> 52) - 1023, least_exponent);
  const double shift = std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 52 - fraction_bits + 1023) << 52);
  const double rounded = (magnitude + shift) - shift;
  return std::copysign(rounded > largest ? std::numeric_limits<double>::infinity() : rounded, value);
}

}  // namespace moetune
