#pragma once

#include <cstdint>

#include "problem/device_info.h"
#include "problem/problem.h"

namespace moetune {

/// Arithmetic of the matrix products (a multiply-add is two) and the least traffic with device memory.
struct Work {
  double flops = 0;
  double bytes = 0;

  bool operator==(const Work&) const = default;
};

/// The whole MLP: weights of the experts hit (a mean, where it is over several routings) read once, input read once, output written once.
/// flops = 2·slots·K·N1 + 2·slots·(N1/2)·N2; bytes = 2·(hit·(N1·K + N2·N1/2) + M·K + M·N2), plus the biases of the experts hit.
Work pipeline_work(const Problem& problem, double experts_hit);

/// The same where the routing is not known: of as many experts as it can hit.
Work most_pipeline_work(const Problem& problem);

/// One stage, with what it must read and write in its own launch (intermediates included). Stages without a matrix product
/// have no flops: they live at the memory's roof.
Work stage_work(const Problem& problem, Stage stage, double experts_hit);

/// max(flops / matrix rate, bytes / read bandwidth), in µs. 0 where the ceilings are not known.
double roofline_us(const Work& work, const Ceilings& ceilings);

/// How much faster the merged pipeline could be than the three-kernel one if both had equally good GEMMs: the ratio of the
/// stage-wise rooflines with `launch_us` lost per kernel (gemm1 + activate + final over gate + final). 0 where the ceilings
/// are not known.
double merged_ceiling(const Problem& problem, double experts_hit, const Ceilings& ceilings, double launch_us = 2.5);

}  // namespace moetune
