#pragma once

#include <cstdint>
#include <vector>

#include "problem/problem.h"
#include "problem/work.h"

namespace moetune {

/// What the tensors are filled with. Every value is a function of (seed, tensor, flat index) alone, computed with the
/// same integer arithmetic on host and device (kernels/lib/fill.h), so both see the same bits.
///   random         near-normal, scaled so that outputs are of order one
///   exact_integer  small integers so sparse and so placed that every sum is exact in fp32 and every activation
///   saturates or
///                  vanishes: the one correct answer is known to the last bit
enum class Fill { random, exact_integer };

struct DataSpec {
  Fill fill = Fill::random;
  std::uint64_t seed = 1;

  bool operator==(const DataSpec&) const = default;
};

/// The tokens' choices.
struct Routing {
  std::int64_t M = 0, topk = 0, E = 0;     ///< E: experts here
  std::vector<std::int32_t> topk_ids;      ///< [M, topk], distinct in each row; global where there is a map
  std::vector<float> topk_weights;         ///< [M, topk]
  std::vector<std::int32_t> expert_map{};  ///< [global experts]: the expert here, or -1 elsewhere; empty: all are here

  /// The expert here that a slot's choice is; -1 where it lives elsewhere.
  std::int32_t expert_of(std::int64_t slot) const;

  std::vector<std::int64_t> rows_per_expert() const;  ///< [E]
  std::int64_t experts_hit() const;
  Load load() const;
};

/// Draws the routing of `problem`, over the experts of all ranks: one of as many as there are numbers `draw` (from 0).
/// exact_integer data has powers of two as weights. Throws Error for routing files that cannot be read or do not fit
/// the problem.
Routing make_routing(const Problem& problem, const DataSpec& data, int draw = 0);

/// What a draw of the routing gives the device to do, as a mean over the first `draws`.
Load mean_load(const Problem& problem, const DataSpec& data, int draws);

/// Whether one draw of the problem's routing differs from another in more than its weights.
bool is_random(const RoutingSpec& routing);

}  // namespace moetune
