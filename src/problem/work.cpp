#include "problem/work.h"

#include <algorithm>
#include <cmath>

namespace moetune {
namespace {

constexpr double kElementBytes = 2;  // fp16 and bf16 alike
constexpr double kIndexBytes = 4;

}  // namespace

Load most_load(const Problem& problem) {
  const std::int64_t slots = problem.M * std::min(problem.topk, problem.E);
  return {.experts_hit = static_cast<double>(std::min(slots, problem.E)),
          .slots = static_cast<double>(slots),
          .tokens = static_cast<double>(problem.M)};
}

Load even_load(const Problem& problem) {
  if (problem.ep_ranks == 1) return most_load(problem);
  const double M = static_cast<double>(problem.M), here = 1 / static_cast<double>(problem.ep_ranks);
  const double slots = static_cast<double>(problem.slots()) * here;
  // As if a token's choices were independent of each other.
  return {.experts_hit = std::min(slots, static_cast<double>(problem.E)),
          .slots = slots,
          .tokens = M * (1 - std::pow(1 - here, static_cast<double>(problem.topk)))};
}

Work pipeline_work(const Problem& problem, const Load& load) {
  const double M = static_cast<double>(problem.M), K = static_cast<double>(problem.K);
  const double N1 = static_cast<double>(problem.N1), N2 = static_cast<double>(problem.N2);
  const double inner = static_cast<double>(problem.inner());
  const double slots = load.slots, hit = load.experts_hit;
  const double biases = (problem.has_b1() ? hit * N1 : 0) + (problem.has_b2() ? hit * N2 : 0);
  return {.flops = 2 * slots * K * N1 + 2 * slots * inner * N2,
          .bytes = kElementBytes * (hit * (N1 * K + N2 * inner) + load.tokens * K + M * N2 + biases)};
}

Work stage_work(const Problem& problem, Stage stage, const Load& load) {
  const double M = static_cast<double>(problem.M), K = static_cast<double>(problem.K);
  const double N1 = static_cast<double>(problem.N1), N2 = static_cast<double>(problem.N2);
  const double inner = static_cast<double>(problem.inner()), E = static_cast<double>(problem.E);
  const double slots = load.slots, hit = load.experts_hit, input = load.tokens * K;
  const double w1 = hit * (N1 * K + (problem.has_b1() ? N1 : 0));
  const double w2 = hit * (N2 * inner + (problem.has_b2() ? N2 : 0));
  switch (stage) {
    case Stage::route:  // ids in; slots in expert order and the experts' offsets out
      return {.flops = 0, .bytes = kIndexBytes * (static_cast<double>(problem.slots()) + slots + E + 1)};
    case Stage::gemm1:
      return {.flops = 2 * slots * K * N1, .bytes = kElementBytes * (w1 + input + slots * N1)};
    case Stage::activate:
      return {.flops = 0, .bytes = kElementBytes * (slots * N1 + slots * inner)};
    case Stage::gate:
      return {.flops = 2 * slots * K * N1, .bytes = kElementBytes * (w1 + input + slots * inner)};
    case Stage::final:
      return {.flops = 2 * slots * inner * N2, .bytes = kElementBytes * (w2 + slots * inner + slots * N2)};
    case Stage::mlp:
      return {.flops = 2 * slots * K * N1 + 2 * slots * inner * N2,
              .bytes = kElementBytes * (w1 + w2 + input + 2 * slots * inner + slots * N2)};
    case Stage::combine:
      return {.flops = 0, .bytes = kElementBytes * (slots * N2 + M * N2)};
  }
  return {};
}

double roofline_us(const Work& work, const Ceilings& ceilings) {
  if (!(ceilings.matrix_flops_per_s > 0 && ceilings.read_bytes_per_s > 0)) return 0;
  return 1e6 * std::max(work.flops / ceilings.matrix_flops_per_s, work.bytes / ceilings.read_bytes_per_s);
}

double merged_ceiling(const Problem& problem, const Load& load, const Ceilings& ceilings, double launch_us) {
  const auto roof = [&](Stage stage) { return roofline_us(stage_work(problem, stage, load), ceilings); };
  const double final_us = roof(Stage::final);
  if (!(final_us > 0)) return 0;
  return (roof(Stage::gemm1) + roof(Stage::activate) + final_us + 3 * launch_us) /
         (roof(Stage::gate) + final_us + 2 * launch_us);
}

}  // namespace moetune
