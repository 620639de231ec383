#include "kernel/grouped_gemm.h"

#include <fmt/format.h>

#include <algorithm>

#include "problem/work.h"

namespace moetune {

GemmShape gemm_shape(Stage stage, const Problem& p) {
  switch (epilogue_of(stage)) {
    case Epilogue::plain:
      return {p.K, p.N1, p.N1};
    case Epilogue::gated:
      return {p.K, p.N1, p.inner()};
    case Epilogue::final:
      return {p.inner(), p.N2, p.N2};
  }
  return {};
}

std::int64_t column_tiles(Stage stage, const Problem& problem, std::int64_t columns) {
  return (gemm_shape(stage, problem).out_columns + columns - 1) / columns;
}

bool uses_token_tiles(const Problem& problem) {
  return problem.M <= last_token_tiles_M(problem);
}

std::int64_t last_token_tiles_M(const Problem& problem) {
  return problem.E / (4 * problem.topk);
}

double rows_per_expert(const Problem& problem) {
  const double slots = even_load(problem).slots;
  return slots / std::min(static_cast<double>(problem.E), slots);
}

std::string gemm_kernel_name(Stage stage) {
  if (stage == Stage::mlp) return "merged_moe_kernel";
  switch (epilogue_of(stage)) {
    case Epilogue::plain:
      return "invoke_fused_moe_kernel";
    case Epilogue::gated:
      return "merged_moe_gate_kernel";
    case Epilogue::final:
      return "merged_moe_final_kernel";
  }
  return {};
}

std::vector<std::string> gemm_defines(Stage stage, const Problem& problem, bool token_tiles) {
  const Epilogue epilogue = epilogue_of(stage);
  const bool has_bias = epilogue == Epilogue::final ? problem.has_b2() : problem.has_b1();
  const char* name = epilogue == Epilogue::gated ? "gated" : epilogue == Epilogue::final ? "final" : "plain";
  return {fmt::format("EPILOGUE={}", name),
          // Only the gated epilogue has an activation: the others share one kernel over all of them.
          fmt::format("ACTIVATION={}", epilogue == Epilogue::gated ? to_string(problem.activation) : "silu"),
          fmt::format("DTYPE={}", to_string(problem.dtype)), fmt::format("HAS_BIAS={}", has_bias ? 1 : 0),
          fmt::format("WEIGHT_ON_INPUT={}", problem.weight_on_input ? 1 : 0),
          fmt::format("TOKEN_TILES={}", token_tiles ? 1 : 0),
          // Where routing has run, it has looked at the map.
          fmt::format("EXPERT_MAP={}", token_tiles && problem.ep_ranks > 1 ? 1 : 0),
          fmt::format("KERNEL_NAME={}", gemm_kernel_name(stage))};
}

}  // namespace moetune
