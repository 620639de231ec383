// What every grouped GEMM is compiled for, whatever its engine and config: the macros ACTIVATION, DTYPE (enumerators of
// kernels/lib/types.h), WEIGHT_ON_INPUT, TOKEN_TILES, EXPERT_MAP (0 or 1), and for one or two GEMMs EPILOGUE and
// HAS_BIAS.
#pragma once

#include "kernels/lib/arguments.h"

namespace moetune {

constexpr Activation kActivation = Activation::ACTIVATION;
constexpr DType kType = DType::DTYPE;
/// Tiles of one token's slot, taken from topk_ids: no routing has run.
constexpr bool kTokenTiles = TOKEN_TILES;

/// The expert here that a token tile's choice `id` is; -1 where it lives elsewhere or is none. Without the map's tests
/// where there is no map: this comes before the first weights can be asked for.
__device__ __forceinline__ int chosen_expert(const ExpertMap& map, int id) {
  if constexpr (EXPERT_MAP) return local_expert(map, id);
  return id >= 0 && id < map.experts ? id : -1;
}

template <Epilogue Kind, bool HasBias>
struct GemmSettings {
  static constexpr Epilogue kEpilogue = Kind;
  static constexpr bool kHasBias = HasBias;
  static constexpr bool kGated = Kind == Epilogue::gated;
  static constexpr bool kSecond = Kind == Epilogue::final;
  /// The routing weight multiplies in the first GEMM or in the second.
  static constexpr bool kWeighted = (WEIGHT_ON_INPUT != 0) != kSecond;
};

}  // namespace moetune
