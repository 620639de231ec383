#include "search/scoreboard.h"

#include <algorithm>
#include <tuple>

namespace moetune {

std::vector<std::size_t> Scoreboard::ranked() const {
  std::vector<std::size_t> order;
  for (const auto& [candidate, seen] : latest_)
    if (seen.outcome == Outcome::ok) order.push_back(candidate);
  std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    const Observation& left = at(a);
    const Observation& right = at(b);
    return std::tuple(-left.rung, left.median_us, a) < std::tuple(-right.rung, right.median_us, b);
  });
  return order;
}

std::optional<double> Scoreboard::best_us() const {
  const std::vector<std::size_t> order = ranked();
  if (order.empty()) return std::nullopt;
  return at(order.front()).median_us;
}

}  // namespace moetune
