#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/lib/types.h"

namespace moetune {

/// Which experts the tokens choose.
struct RoutingSpec {
  enum class Kind { balanced, uniform, zipf, one_expert, file };
  Kind kind = Kind::uniform;
  double zipf_s = 1.0;  ///< zipf: the expert of rank r is drawn with weight r^-s
  std::string path{};   ///< file: a .npy integer array [M, topk] of expert ids

  bool operator==(const RoutingSpec&) const = default;
};

/// Which of the two GEMMs have a bias: b1 [E, N1], b2 [E, N2], in the problem's dtype.
enum class Bias { none, b1, b2, both };

// Every value of the enumerations, for those who walk them all.
inline constexpr std::array kDTypes{DType::fp16, DType::bf16};
inline constexpr std::array kActivations{Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                         Activation::swigluoai};
inline constexpr std::array kBiases{Bias::none, Bias::b1, Bias::b2, Bias::both};

/// One expert MLP to compute. Sizes count elements; N1 is the width of w1 (gate rows, then up rows), N2 the width of
/// the output. See README.md, "The mathematics".
struct Problem {
  std::int64_t M = 1;     ///< tokens
  std::int64_t K = 0;     ///< hidden size of the input
  std::int64_t N1 = 0;    ///< rows of w1 per expert, twice the intermediate size
  std::int64_t N2 = 0;    ///< hidden size of the output
  std::int64_t E = 0;     ///< experts on this device
  std::int64_t topk = 0;  ///< experts per token
  /// Expert parallelism: tokens choose among the experts of all ranks, E on each, of which rank r has those numbered
  /// r·E and on. Choices of other ranks' experts contribute nothing: the output is this rank's partial sum.
  std::int64_t ep_ranks = 1, ep_rank = 0;
  DType dtype = DType::bf16;
  Activation activation = Activation::silu;
  Bias bias = Bias::none;
  bool weight_on_input = false;  ///< vLLM's apply_router_weight_on_input
  RoutingSpec routing{};
  std::string model{};  ///< the preset it came from, or empty; a label, not part of the identity

  std::int64_t inner() const { return N1 / 2; }                 ///< width of the activated intermediate
  std::int64_t slots() const { return M * topk; }               ///< (token, choice) pairs
  std::int64_t global_experts() const { return E * ep_ranks; }  ///< that tokens choose among
  bool has_b1() const { return bias == Bias::b1 || bias == Bias::both; }
  bool has_b2() const { return bias == Bias::b2 || bias == Bias::both; }

  bool operator==(const Problem&) const = default;
};

std::string_view to_string(DType dtype);
std::string_view to_string(Activation activation);
std::string_view to_string(Bias bias);
/// "balanced", "uniform", "zipf:1.2", "one", "file:PATH"
std::string to_string(const RoutingSpec& routing);

// Each throws Error naming the value and the values there are.
DType parse_dtype(std::string_view name);
Activation parse_activation(std::string_view name);
Bias parse_bias(std::string_view name);
RoutingSpec parse_routing(std::string_view text);

/// The problem as one line
/// "M=128,K=4096,N1=28672,N2=4096,E=8,topk=2,dtype=bf16,activation=silu,bias=none,routing=uniform" (ep_ranks=4 and
/// ep_rank=1, weight_on_input=1, model=ID are added where set). Values that hold a comma, a quote, a '#' or outer
/// blanks stand in double quotes. parse_problem_line reads it back.
std::string to_line(const Problem& problem);
/// Reads such a line; text after '#' is a comment. M, K, N1, E and topk are required; N2 defaults to K. Throws Error
/// naming the key. Whether the problem makes sense is for validate() to say.
Problem parse_problem_line(std::string_view line);

/// A problem a line, but for comments and empty lines; each is valid. Throws Error naming `origin` and the line, also
/// where there is none.
std::vector<Problem> parse_problem_lines(std::string_view text, std::string_view origin);

/// Throws Error unless every size is positive, N1 is even, K, N1/2 and N2 are multiples of 8 and at most 2^20, E <=
/// 1024, ep_rank < ep_ranks, E·ep_ranks <= 2^16, topk <= E·ep_ranks and M·topk <= 2^24. The message names the size, its
/// value and what would be accepted.
void validate(const Problem& problem);

/// The ways to compute it. merged_single is merged with both GEMMs in one kernel.
enum class Impl { three_kernel, merged, merged_single };
inline constexpr std::array kImpls{Impl::three_kernel, Impl::merged, Impl::merged_single};
std::string_view to_string(Impl impl);
Impl parse_impl(std::string_view name);

/// A step of a pipeline. Steps that are `tunable` have an engine and a config.
///   route     group the slots by expert (moe_align_block_size)
///   gemm1     invoke_fused_moe_kernel, epilogue plain
///   activate  silu_and_mul and its kin
///   gate      merged_moe_gate_kernel, epilogue gated
///   final     merged_moe_final_kernel, or invoke_fused_moe_kernel again: epilogue final
///   mlp       merged_moe_kernel: gate and final
///   combine   moe_sum
enum class Stage { route, gemm1, activate, gate, final, mlp, combine };
inline constexpr std::array kStages{Stage::route, Stage::gemm1, Stage::activate, Stage::gate,
                                    Stage::final, Stage::mlp,   Stage::combine};
std::string_view to_string(Stage stage);
Stage parse_stage(std::string_view name);
bool is_tunable(Stage stage);
/// The stages of an implementation, in order.
std::span<const Stage> stages_of(Impl impl);
/// Its tunable stages, in order: {gemm1, final}, {gate, final} or {mlp}.
std::span<const Stage> tunable_stages_of(Impl impl);
/// Stages that follow each other, both ends included.
struct StageRange {
  Stage first = kStages.front(), last = kStages.back();

  bool contains(Stage stage) const { return first <= stage && stage <= last; }
  auto operator<=>(const StageRange&) const = default;
};
constexpr StageRange only(Stage stage) {
  return {stage, stage};
}
/// Those whose time the config of a tunable stage decides: the second GEMM's also whether it sums up over topk itself.
StageRange stages_decided_by(Stage tunable);
/// The epilogue of a tunable stage of one GEMM.
Epilogue epilogue_of(Stage stage);

}  // namespace moetune
