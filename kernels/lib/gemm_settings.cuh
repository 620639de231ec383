// What every grouped GEMM is compiled for, whatever its engine and config: the macros EPILOGUE, ACTIVATION, DTYPE
// (enumerators of kernels/lib/types.h), HAS_BIAS, WEIGHT_ON_INPUT, TOKEN_TILES (0 or 1).
#pragma once

#include "kernels/lib/types.h"

namespace moetune {

constexpr Epilogue kEpilogue = Epilogue::EPILOGUE;
constexpr Activation kActivation = Activation::ACTIVATION;
constexpr DType kType = DType::DTYPE;
constexpr bool kHasBias = HAS_BIAS;
constexpr bool kGated = kEpilogue == Epilogue::gated;
constexpr bool kSecond = kEpilogue == Epilogue::final;
/// The routing weight multiplies in the first GEMM or in the second.
constexpr bool kWeighted = (WEIGHT_ON_INPUT != 0) != kSecond;
/// Tiles of one token's slot, taken from topk_ids: no routing has run.
constexpr bool kTokenTiles = TOKEN_TILES;

}  // namespace moetune
