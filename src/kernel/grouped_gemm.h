#pragma once

#include <string>
#include <vector>

#include "kernel/kernel_source.h"
#include "problem/problem.h"

namespace moetune {

/// The widths of a tunable stage's GEMM, as GemmArguments (kernels/lib/arguments.h) has them.
struct GemmShape {
  std::int64_t K, weight_rows, out_columns;
};
GemmShape gemm_shape(Stage stage, const Problem& problem);
/// Tiles of so many output columns, side by side.
std::int64_t column_tiles(Stage stage, const Problem& problem, std::int64_t columns);

/// Slots so few that they hardly share an expert: each gets a tile of its own and no routing runs. vLLM's fused_moe
/// draws the line in the same place, 4·slots <= E. E are the experts here, however many there are elsewhere: blocks
/// look at every slot's tile, and of many that are not here a routing kernel makes shorter work.
bool uses_token_tiles(const Problem& problem);
/// The largest M that does, whatever the problem's own; 0: none.
std::int64_t last_token_tiles_M(const Problem& problem);

/// On average over the experts that can have any.
double rows_per_expert(const Problem& problem);

/// The kernels' names: invoke_fused_moe_kernel, merged_moe_gate_kernel, merged_moe_final_kernel, merged_moe_kernel.
std::string gemm_kernel_name(Stage stage);

/// The macros that every engine's GEMM is compiled with, whatever its config: EPILOGUE, ACTIVATION, DTYPE, HAS_BIAS,
/// WEIGHT_ON_INPUT, TOKEN_TILES, EXPERT_MAP, KERNEL_NAME.
std::vector<std::string> gemm_defines(Stage stage, const Problem& problem, bool token_tiles);

}  // namespace moetune
