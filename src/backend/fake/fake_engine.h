#pragma once

#include "kernel/engine.h"
#include "space/search_space.h"

namespace moetune {

/// The engine of the fake device. Parameters BLOCK_SIZE_M, BLOCK_SIZE_N, num_warps; a tile of more than 128·128
/// elements, or of less than 256 for each warp, is not legal.
const Engine& fake_engine();

/// 4 x 5 x 4 configs, of which 66 are legal. The engine's first guess is BLOCK_SIZE_M=32, BLOCK_SIZE_N=32, num_warps=4.
SearchSpace fake_search_space();

}  // namespace moetune
