#include "search/scoreboard.h"

#include <algorithm>
#include <tuple>

namespace moetune {

namespace {

auto rank_of(const Observation& seen) {
  return std::tuple(-seen.rung, seen.median_us, seen.candidate);
}

}  // namespace

std::vector<std::size_t> Scoreboard::ranked() const {
  std::vector<std::size_t> order;
  for (const auto& [candidate, seen] : latest_)
    if (seen.outcome == Outcome::ok) order.push_back(candidate);
  std::sort(order.begin(), order.end(),
            [this](std::size_t a, std::size_t b) { return rank_of(at(a)) < rank_of(at(b)); });
  return order;
}

std::optional<std::size_t> Scoreboard::leader() const {
  const Observation* first = nullptr;
  for (const auto& [candidate, seen] : latest_)
    if (seen.outcome == Outcome::ok && (!first || rank_of(seen) < rank_of(*first))) first = &seen;
  if (!first) return std::nullopt;
  return first->candidate;
}

std::optional<double> Scoreboard::best_us() const {
  const std::optional<std::size_t> first = leader();
  if (!first) return std::nullopt;
  return at(*first).median_us;
}

}  // namespace moetune
