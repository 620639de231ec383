#pragma once

#include <cstdint>
#include <span>

namespace moetune {

inline constexpr int kDotRows = 4;

/// Products of kDotRows weight rows with any number of input rows, in fp64. The order of summation is fixed and the
/// products of 16-bit floats are exact, so the result is the same on every machine.
///   weights [kDotRows, length], inputs: rows of `length`, a multiple of 4, out [inputs.size(), kDotRows]
void dot_rows(const float* weights, std::span<const float* const> inputs, std::int64_t length, double* out);

}  // namespace moetune
