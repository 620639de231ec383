#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "data/inputs.h"
#include "data/npy.h"
#include "kernels/lib/fill.h"

namespace moetune {
namespace {

/// A stream of random numbers, the same on every machine. Each purpose has a stream of its own.
class Random {
 public:
  enum class Purpose : unsigned long long { ids = 101, ranks = 102, weights = 103 };

  Random(std::uint64_t seed, Purpose purpose)
      : key_(mix_bits(mix_bits(seed) + static_cast<unsigned long long>(purpose))) {}

  std::uint64_t bits() { return random_bits(key_, next_++); }
  /// Uniform in 0 … n-1; n is at most 2^24, so the bias stays below 2^-8 of one draw in 2^32.
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>((bits() >> 32) * static_cast<std::uint64_t>(n) >> 32);
  }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

 private:
  unsigned long long key_;
  unsigned long long next_ = 0;
};

using Ids = std::vector<std::int32_t>;

std::vector<std::int32_t> all_experts(std::int64_t count) {
  std::vector<std::int32_t> experts(static_cast<std::size_t>(count));
  std::iota(experts.begin(), experts.end(), 0);
  return experts;
}

/// Moves `n` experts drawn uniformly and without replacement to the front of `experts`. Any order of `experts` will do
/// to start from, so it is never reset.
void draw_to_front(std::vector<std::int32_t>& experts, std::int64_t n, Random& random) {
  const std::int64_t size = static_cast<std::int64_t>(experts.size());
  for (std::int64_t i = 0; i < n; ++i) std::swap(experts[i], experts[i + random.below(size - i)]);
}

/// Round robin: loads differ by at most one.
Ids route_balanced(const Problem& problem) {
  Ids ids(static_cast<std::size_t>(problem.slots()));
  for (std::int64_t slot = 0; slot < problem.slots(); ++slot)
    ids[slot] = static_cast<std::int32_t>(slot % problem.global_experts());
  return ids;
}

Ids route_uniform(const Problem& problem, std::uint64_t seed) {
  Random random(seed, Random::Purpose::ids);
  std::vector<std::int32_t> experts = all_experts(problem.global_experts());
  Ids ids;
  ids.reserve(static_cast<std::size_t>(problem.slots()));
  for (std::int64_t token = 0; token < problem.M; ++token) {
    draw_to_front(experts, problem.topk, random);
    ids.insert(ids.end(), experts.begin(), experts.begin() + problem.topk);
  }
  return ids;
}

/// Every token's first choice is expert 0, the others are uniform.
Ids route_one_expert(const Problem& problem, std::uint64_t seed) {
  Random random(seed, Random::Purpose::ids);
  std::vector<std::int32_t> others = all_experts(problem.global_experts());
  others.erase(others.begin());
  Ids ids;
  ids.reserve(static_cast<std::size_t>(problem.slots()));
  for (std::int64_t token = 0; token < problem.M; ++token) {
    draw_to_front(others, problem.topk - 1, random);
    ids.push_back(0);
    ids.insert(ids.end(), others.begin(), others.begin() + (problem.topk - 1));
  }
  return ids;
}

/// Draws ranks without replacement, rank r (from 1) with weight r^-s among those left.
class ZipfDraw {
 public:
  ZipfDraw(std::int64_t ranks, double s) : weights_(ranks), cumulative_(ranks), taken_by_(ranks, -1) {
    for (std::int64_t r = 0; r < ranks; ++r) weights_[r] = std::pow(static_cast<double>(r + 1), -s);
    std::partial_sum(weights_.begin(), weights_.end(), cumulative_.begin());
  }

  std::size_t draw(std::int64_t token, Random& random) {
    // Drawing with replacement until the rank is new is the same distribution, and quick unless the tail is thin.
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const double point = random.unit() * cumulative_.back();
      const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), point) - cumulative_.begin();
      const std::size_t rank = std::min<std::size_t>(at, weights_.size() - 1);
      if (taken_by_[rank] != token) return take(rank, token);
    }
    return draw_from_rest(token, random);
  }

 private:
  static constexpr int kAttempts = 16;

  std::size_t take(std::size_t rank, std::int64_t token) {
    taken_by_[rank] = token;
    return rank;
  }

  std::size_t draw_from_rest(std::int64_t token, Random& random) {
    double total = 0;
    for (std::size_t rank = 0; rank < weights_.size(); ++rank)
      if (taken_by_[rank] != token) total += weights_[rank];
    double point = random.unit() * total;
    std::size_t last_left = 0;
    for (std::size_t rank = 0; rank < weights_.size(); ++rank) {
      if (taken_by_[rank] == token) continue;
      if (point <= weights_[rank]) return take(rank, token);  // also where all weights left have underflowed to zero
      point -= weights_[rank];
      last_left = rank;
    }
    return take(last_left, token);
  }

  std::vector<double> weights_, cumulative_;
  std::vector<std::int64_t> taken_by_;  ///< the last token that drew the rank
};

Ids route_zipf(const Problem& problem, std::uint64_t seed) {
  Random rank_random(seed, Random::Purpose::ranks), random(seed, Random::Purpose::ids);
  std::vector<std::int32_t> expert_of_rank = all_experts(problem.global_experts());
  draw_to_front(expert_of_rank, problem.global_experts(), rank_random);
  ZipfDraw zipf(problem.global_experts(), problem.routing.zipf_s);
  Ids ids;
  ids.reserve(static_cast<std::size_t>(problem.slots()));
  for (std::int64_t token = 0; token < problem.M; ++token)
    for (std::int64_t choice = 0; choice < problem.topk; ++choice)
      ids.push_back(expert_of_rank[zipf.draw(token, random)]);
  return ids;
}

Ids route_from_file(const Problem& problem) {
  const std::string& path = problem.routing.path;
  const IntegerMatrix matrix = read_npy(path);
  if (matrix.rows != problem.M || matrix.columns != problem.topk)
    throw Error(fmt::format("{}: shape ({}, {}) does not fit the problem: expected [M, topk] = ({}, {})", path,
                            matrix.rows, matrix.columns, problem.M, problem.topk));
  Ids ids(matrix.values.size());
  std::vector<std::int64_t> last_row(static_cast<std::size_t>(problem.global_experts()), -1);
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    for (std::int64_t column = 0; column < matrix.columns; ++column) {
      const std::int64_t id = matrix.values[row * matrix.columns + column];
      if (id < 0 || id >= problem.global_experts())
        throw Error(fmt::format("{}: row {}, column {}: expert {} is out of range: expected 0 to {}", path, row, column,
                                id, problem.global_experts() - 1));
      if (last_row[id] == row)
        throw Error(fmt::format("{}: row {}, column {}: expert {} is there already: a token's experts must be distinct",
                                path, row, column, id));
      last_row[id] = row;
      ids[row * matrix.columns + column] = static_cast<std::int32_t>(id);
    }
  return ids;
}

Ids route(const Problem& problem, std::uint64_t seed) {
  switch (problem.routing.kind) {
    case RoutingSpec::Kind::balanced:
      return route_balanced(problem);
    case RoutingSpec::Kind::uniform:
      return route_uniform(problem, seed);
    case RoutingSpec::Kind::zipf:
      return route_zipf(problem, seed);
    case RoutingSpec::Kind::one_expert:
      return route_one_expert(problem, seed);
    case RoutingSpec::Kind::file:
      return route_from_file(problem);
  }
  return {};
}

/// Softmax of near-normal logits over each token's choices, as a router gives.
std::vector<float> draw_weights(const Problem& problem, std::uint64_t seed) {
  Random random(seed, Random::Purpose::weights);
  std::vector<float> weights(static_cast<std::size_t>(problem.slots()));
  std::vector<double> exponentials(static_cast<std::size_t>(problem.topk));
  for (std::int64_t token = 0; token < problem.M; ++token) {
    double sum = 0;
    for (double& each : exponentials) sum += each = std::exp(static_cast<double>(near_normal(random.bits(), 1.0f)));
    for (std::int64_t choice = 0; choice < problem.topk; ++choice)
      weights[token * problem.topk + choice] = static_cast<float>(exponentials[choice] / sum);
  }
  return weights;
}

/// Ranks hold neighbouring experts, as many each.
std::vector<std::int32_t> map_experts(const Problem& problem) {
  if (problem.ep_ranks == 1) return {};
  std::vector<std::int32_t> map(static_cast<std::size_t>(problem.global_experts()), -1);
  std::iota(map.begin() + problem.ep_rank * problem.E, map.begin() + (problem.ep_rank + 1) * problem.E, 0);
  return map;
}

/// 1, 1/2 or 1/4.
std::vector<float> draw_powers_of_two(const Problem& problem, std::uint64_t seed) {
  Random random(seed, Random::Purpose::weights);
  std::vector<float> weights(static_cast<std::size_t>(problem.slots()));
  for (float& weight : weights) weight = 1.0f / static_cast<float>(1 << random.below(3));
  return weights;
}

}  // namespace

std::int32_t Routing::expert_of(std::int64_t slot) const {
  const std::int32_t id = topk_ids[slot];
  const auto named = expert_map.empty() ? E : static_cast<std::int64_t>(expert_map.size());
  if (id < 0 || id >= named) return -1;
  const std::int32_t expert = expert_map.empty() ? id : expert_map[id];
  return expert < 0 || expert >= E ? -1 : expert;
}

std::vector<std::int64_t> Routing::rows_per_expert() const {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(E), 0);
  for (std::int64_t slot = 0; slot < M * topk; ++slot)
    if (const std::int32_t expert = expert_of(slot); expert >= 0) ++rows[expert];
  return rows;
}

std::int64_t Routing::experts_hit() const {
  const std::vector<std::int64_t> rows = rows_per_expert();
  return std::count_if(rows.begin(), rows.end(), [](std::int64_t n) { return n > 0; });
}

Load Routing::load() const {
  Load load{.experts_hit = static_cast<double>(experts_hit())};
  for (std::int64_t token = 0; token < M; ++token) {
    std::int64_t here = 0;
    for (std::int64_t choice = 0; choice < topk; ++choice) here += expert_of(token * topk + choice) >= 0;
    load.slots += static_cast<double>(here);
    load.tokens += here > 0;
  }
  return load;
}

bool is_random(const RoutingSpec& routing) {
  return routing.kind != RoutingSpec::Kind::balanced && routing.kind != RoutingSpec::Kind::file;
}

Load mean_load(const Problem& problem, const DataSpec& data, int draws) {
  if (!is_random(problem.routing)) draws = 1;
  Load sum;
  for (int draw = 0; draw < draws; ++draw) {
    const Load load = make_routing(problem, data, draw).load();
    sum.experts_hit += load.experts_hit;
    sum.slots += load.slots;
    sum.tokens += load.tokens;
  }
  return {.experts_hit = sum.experts_hit / draws, .slots = sum.slots / draws, .tokens = sum.tokens / draws};
}

Routing make_routing(const Problem& problem, const DataSpec& data, int draw) {
  validate(problem);
  // Far from the seeds that people count up.
  const std::uint64_t seed =
      draw == 0 ? data.seed : random_bits(mix_bits(data.seed), static_cast<unsigned long long>(draw));
  return {.M = problem.M,
          .topk = problem.topk,
          .E = problem.E,
          .topk_ids = route(problem, seed),
          .topk_weights =
              data.fill == Fill::exact_integer ? draw_powers_of_two(problem, seed) : draw_weights(problem, seed),
          .expert_map = map_experts(problem)};
}

}  // namespace moetune
