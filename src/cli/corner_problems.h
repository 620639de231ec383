#pragma once

#include <vector>

#include "problem/problem.h"

namespace moetune {

/// Small problems at the edges where kernels go wrong: one token, one choice, one expert, topk = E, empty experts, all
/// tokens to one expert, K = 8, sizes just past a tile, inner sizes 88, 96, 176 and 2880, each bias, dtype and
/// activation, N2 != K, the routing weight on the input, and ranks of expert parallelism, one of which no token chose.
std::vector<Problem> corner_problems();

}  // namespace moetune
