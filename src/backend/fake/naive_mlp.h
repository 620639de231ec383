#pragma once

#include <cstdint>
#include <vector>

#include "data/inputs.h"
#include "problem/problem.h"

namespace moetune {

/// The expert MLP by plain loops over tokens, with fp32 accumulation, rounding where the kernels round: the fake
/// device's output, bits of the problem's dtype, [M, N2]. For small problems.
std::vector<std::uint16_t> naive_mlp(const Problem& problem, Impl impl, const Routing& routing, const DataSpec& data);

}  // namespace moetune
