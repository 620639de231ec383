#include "problem/work.h"

#include <algorithm>

namespace moetune {
namespace {

constexpr double kElementBytes = 2;  // fp16 and bf16 alike
constexpr double kIndexBytes = 4;

}  // namespace

Work pipeline_work(const Problem& problem, double experts_hit) {
  const double M = static_cast<double>(problem.M), K = static_cast<double>(problem.K);
  const double N1 = static_cast<double>(problem.N1), N2 = static_cast<double>(problem.N2);
  const double inner = static_cast<double>(problem.inner());
  const double slots = static_cast<double>(problem.slots()), hit = experts_hit;
  const double biases = (problem.has_b1() ? hit * N1 : 0) + (problem.has_b2() ? hit * N2 : 0);
  return {.flops = 2 * slots * K * N1 + 2 * slots * inner * N2,
          .bytes = kElementBytes * (hit * (N1 * K + N2 * inner) + M * K + M * N2 + biases)};
}

Work most_pipeline_work(const Problem& problem) {
  return pipeline_work(problem, static_cast<double>(std::min(problem.slots(), problem.E)));
}

Work stage_work(const Problem& problem, Stage stage, double experts_hit) {
  const double M = static_cast<double>(problem.M), K = static_cast<double>(problem.K);
  const double N1 = static_cast<double>(problem.N1), N2 = static_cast<double>(problem.N2);
  const double inner = static_cast<double>(problem.inner()), E = static_cast<double>(problem.E);
  const double slots = static_cast<double>(problem.slots()), hit = experts_hit;
  const double w1 = hit * (N1 * K + (problem.has_b1() ? N1 : 0));
  const double w2 = hit * (N2 * inner + (problem.has_b2() ? N2 : 0));
  switch (stage) {
    case Stage::route:  // ids in; slots in expert order and the experts' offsets out
      return {.flops = 0, .bytes = kIndexBytes * (2 * slots + E + 1)};
    case Stage::gemm1:
      return {.flops = 2 * slots * K * N1, .bytes = kElementBytes * (w1 + M * K + slots * N1)};
    case Stage::activate:
      return {.flops = 0, .bytes = kElementBytes * (slots * N1 + slots * inner)};
    case Stage::gate:
      return {.flops = 2 * slots * K * N1, .bytes = kElementBytes * (w1 + M * K + slots * inner)};
    case Stage::final:
      return {.flops = 2 * slots * inner * N2, .bytes = kElementBytes * (w2 + slots * inner + slots * N2)};
    case Stage::mlp:
      return {.flops = 2 * slots * K * N1 + 2 * slots * inner * N2,
              .bytes = kElementBytes * (w1 + w2 + M * K + 2 * slots * inner + slots * N2)};
    case Stage::combine:
      return {.flops = 0, .bytes = kElementBytes * (slots * N2 + M * N2)};
  }
  return {};
}

double roofline_us(const Work& work, const Ceilings& ceilings) {
  if (!(ceilings.matrix_flops_per_s > 0 && ceilings.read_bytes_per_s > 0)) return 0;
  return 1e6 * std::max(work.flops / ceilings.matrix_flops_per_s, work.bytes / ceilings.read_bytes_per_s);
}

double merged_ceiling(const Problem& problem, double experts_hit, const Ceilings& ceilings, double launch_us) {
  const auto roof = [&](Stage stage) { return roofline_us(stage_work(problem, stage, experts_hit), ceilings); };
  const double final_us = roof(Stage::final);
  if (!(final_us > 0)) return 0;
  return (roof(Stage::gemm1) + roof(Stage::activate) + final_us + 3 * launch_us) /
         (roof(Stage::gate) + final_us + 2 * launch_us);
}

}  // namespace moetune
