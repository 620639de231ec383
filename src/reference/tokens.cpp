#include <algorithm>
#include <numeric>

#include "kernels/lib/fill.h"
#include "reference/group_ends.h"
#include "reference/reference.h"

namespace moetune {
namespace {

/// A growing sample of tokens of limited size.
class Sample {
 public:
  Sample(const Routing& routing, std::int64_t limit)
      : routing_(routing), limit_(limit), chosen_(routing.M, false), covered_(routing.E, false) {}

  bool full() const { return static_cast<std::int64_t>(tokens_.size()) >= limit_; }
  bool covers(std::int64_t expert) const { return covered_[expert]; }

  void add(std::int64_t token) {
    if (token < 0 || full() || chosen_[token]) return;
    chosen_[token] = true;
    tokens_.push_back(token);
    for (std::int64_t choice = 0; choice < routing_.topk; ++choice)
      if (const std::int32_t expert = routing_.expert_of(token * routing_.topk + choice); expert >= 0)
        covered_[expert] = true;
  }

  /// Beyond the limit: its reference costs nothing.
  void add_free(std::int64_t token) {
    if (chosen_[token]) return;
    chosen_[token] = true;
    tokens_.push_back(token);
  }

  std::vector<std::int64_t> take_sorted() {
    std::sort(tokens_.begin(), tokens_.end());
    return std::move(tokens_);
  }

 private:
  const Routing& routing_;
  std::int64_t limit_;
  std::vector<bool> chosen_, covered_;
  std::vector<std::int64_t> tokens_;
};

}  // namespace

GroupEnds find_group_ends(const Routing& routing) {
  GroupEnds ends{.first = std::vector<std::int64_t>(routing.E, -1), .last = std::vector<std::int64_t>(routing.E, -1)};
  for (std::int64_t slot = 0; slot < routing.M * routing.topk; ++slot) {
    const std::int32_t expert = routing.expert_of(slot);
    if (expert < 0) continue;
    if (ends.first[expert] < 0) ends.first[expert] = slot / routing.topk;
    ends.last[expert] = slot / routing.topk;
  }
  return ends;
}

std::vector<std::int64_t> choose_tokens(const Problem& problem, const Routing& routing, std::uint64_t seed,
                                        double mac_budget) {
  const Load load = routing.load();
  const double choices = std::max(1.0, load.slots / static_cast<double>(problem.M));  // of a token, here
  const double token_macs = choices * (static_cast<double>(problem.K) * static_cast<double>(problem.N1) +
                                       static_cast<double>(problem.N2) * static_cast<double>(problem.inner()));
  const double affordable = mac_budget / token_macs;
  if (affordable >= static_cast<double>(problem.M)) {
    std::vector<std::int64_t> all(problem.M);
    std::iota(all.begin(), all.end(), std::int64_t{0});
    return all;
  }

  // Experts in an order of the seed's own, so that what a small budget leaves out is not always the same.
  const std::uint64_t key = mix_bits(seed + 0x746f6b656e73ull);
  std::vector<std::int64_t> experts(problem.E);
  std::iota(experts.begin(), experts.end(), std::int64_t{0});
  std::sort(experts.begin(), experts.end(), [&](std::int64_t a, std::int64_t b) {
    return std::pair(random_bits(key, a), a) < std::pair(random_bits(key, b), b);
  });

  const GroupEnds ends = find_group_ends(routing);
  Sample sample(routing, std::max<std::int64_t>(1, static_cast<std::int64_t>(affordable)));
  for (const std::int64_t expert : experts)
    if (!sample.covers(expert)) sample.add(ends.first[expert]);
  for (const std::int64_t expert : experts) {
    sample.add(ends.first[expert]);
    sample.add(ends.last[expert]);
  }
  for (std::uint64_t draw = 0; !sample.full(); ++draw)
    sample.add(
        static_cast<std::int64_t>((random_bits(~key, draw) >> 32) * static_cast<std::uint64_t>(problem.M) >> 32));
  // Rows that must be zero, which kernels may forget to write: the first token without an expert here, and the last.
  if (load.tokens < static_cast<double>(problem.M)) {
    const auto has_none = [&](std::int64_t token) {
      for (std::int64_t choice = 0; choice < problem.topk; ++choice)
        if (routing.expert_of(token * problem.topk + choice) >= 0) return false;
      return true;
    };
    std::int64_t first = 0, last = problem.M - 1;
    while (!has_none(first)) ++first;
    while (!has_none(last)) --last;
    sample.add_free(first);
    sample.add_free(last);
  }
  return sample.take_sorted();
}

}  // namespace moetune
