#include "search/ranking.h"

#include <algorithm>
#include <random>
#include <string>

#include "measure/statistics.h"

namespace moetune {
namespace {

constexpr int kDraws = 2000;  // of rounds; the probability is good to a per cent
constexpr std::uint64_t kSeed = 1;

struct Ranked {
  std::size_t index = 0;
  double median_us = 0;
  bool ties = false;
  bool is_within_margin = false;  ///< of the fastest
  std::string label;
};

/// A bootstrap over rounds, of each draw among its own: the same rounds for all, as what disturbs one disturbs its
/// neighbours.
double flip_probability(const std::vector<Standing>& standings, const std::vector<Ranked>& order, int draws) {
  std::size_t rounds = standings[order.front().index].round_medians.size();
  for (const Ranked& each : order) rounds = std::min(rounds, standings[each.index].round_medians.size());
  if (order.size() < 2 || rounds == 0) return 0;
  std::mt19937_64 random(kSeed);
  const std::size_t step = rounds >= 2 * static_cast<std::size_t>(draws) ? static_cast<std::size_t>(draws) : 1;
  std::vector<std::size_t> drawn(rounds);
  std::vector<double> times(rounds);
  int flips = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    for (std::size_t i = 0; i < rounds; ++i) {
      const std::size_t first = i % step, last = (rounds - 1 - first) / step;
      drawn[i] = first + step * std::uniform_int_distribution<std::size_t>(0, last)(random);
    }
    const auto time_of = [&](const Ranked& each) {
      for (std::size_t i = 0; i < rounds; ++i) times[i] = standings[each.index].round_medians[drawn[i]];
      return geometric_mean(times);
    };
    const double winner = time_of(order.front());
    flips += std::any_of(order.begin() + 1, order.end(), [&](const Ranked& each) { return time_of(each) < winner; });
  }
  return static_cast<double>(flips) / kDraws;
}

}  // namespace

Ranking rank(const std::vector<Standing>& standings, double margin, int draws) {
  const std::size_t rounds_needed = standings.size() > 1 ? 2 : 1;  // to be compared
  std::vector<Ranked> order;
  for (std::size_t i = 0; i < standings.size(); ++i)
    if (standings[i].round_medians.size() >= rounds_needed)
      order.push_back({.index = i,
                       .median_us = geometric_mean(standings[i].round_medians),
                       .ties = false,
                       .is_within_margin = false,
                       .label = to_label(standings[i].finalist.config)});
  if (order.empty()) return {};
  const std::size_t fastest = std::min_element(order.begin(), order.end(), [](const Ranked& a, const Ranked& b) {
                                return a.median_us < b.median_us;
                              })->index;
  for (Ranked& each : order) {
    if (each.index == fastest) {
      each.ties = each.is_within_margin = true;
      continue;
    }
    const Ratio lead = speedup(standings[fastest].round_medians, standings[each.index].round_medians, draws);
    each.is_within_margin = lead.value < 1 + margin;
    each.ties = !(lead.low > 1) || each.is_within_margin;
  }
  std::sort(order.begin(), order.end(), [&](const Ranked& a, const Ranked& b) {
    if (a.ties != b.ties) return a.ties;
    const bool a_default = standings[a.index].finalist.is_default;
    const bool b_default = standings[b.index].finalist.is_default;
    if (a.ties && a_default != b_default) return a_default;
    if (a.is_within_margin != b.is_within_margin) return a.is_within_margin;
    if (!a.is_within_margin && a.median_us != b.median_us) return a.median_us < b.median_us;
    return a.label < b.label;
  });
  Ranking ranking;
  for (const Ranked& each : order) {
    ranking.order.push_back(each.index);
    ranking.ties += each.ties;
  }
  ranking.flip_probability = flip_probability(standings, order, draws);
  return ranking;
}

}  // namespace moetune
