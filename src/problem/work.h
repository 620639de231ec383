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

/// What a routing gives a device to do; means, where it is over several routings. Without expert parallelism all slots
/// and tokens of the problem.
struct Load {
  double experts_hit = 0;  ///< experts here with a token
  double slots = 0;        ///< choices whose expert is here
  double tokens = 0;       ///< tokens with such a choice

  bool operator==(const Load&) const = default;
};

/// Where the routing is not known: as many experts as it can hit, and as many choices of experts here as there can be …
Load most_load(const Problem& problem);
/// … or as there are where tokens choose all ranks' experts equally often.
Load even_load(const Problem& problem);

/// The whole MLP: weights of the experts hit read once, input of the tokens that chose them read once, output written
/// once. flops = 2·slots·K·N1 + 2·slots·(N1/2)·N2; bytes = 2·(hit·(N1·K + N2·N1/2) + tokens·K + M·N2), plus the biases
/// of the experts hit.
Work pipeline_work(const Problem& problem, const Load& load);

/// One stage, with what it must read and write in its own launch (intermediates included). Stages without a matrix product
/// have no flops: they live at the memory's roof.
Work stage_work(const Problem& problem, Stage stage, const Load& load);

/// max(flops / matrix rate, bytes / read bandwidth), in µs. 0 where the ceilings are not known.
double roofline_us(const Work& work, const Ceilings& ceilings);

/// How much faster the merged pipeline could be than the three-kernel one if both had equally good GEMMs: the ratio of
/// the stage-wise rooflines with `launch_us` lost per kernel (gemm1 + activate + final over gate + final). 0 where the
/// ceilings are not known or there is nothing to do.
double merged_ceiling(const Problem& problem, const Load& load, const Ceilings& ceilings, double launch_us = 2.5);

}  // namespace moetune
