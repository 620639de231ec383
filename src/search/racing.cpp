#include "search/racing.h"

#include <algorithm>
#include <cmath>

namespace moetune {
namespace {

constexpr double kLeastGeneration = 4;      // configs
constexpr double kFarBehind = 1.5;          // of the best screening time: not worth a second look
constexpr std::size_t kMostSurvivors = 12;  // who are all built at once

}  // namespace

std::vector<Proposal> Racing::propose(const Scoreboard& seen, const Allowance& allowance) {
  if (rung_ == 0 && allowance.spent < screening_share()) {
    std::vector<Proposal> batch;
    for (const std::size_t candidate : screen(seen, generation_size(allowance)))
      batch.push_back({.candidate = candidate});
    if (!batch.empty()) return batch;
  }
  return race(seen, allowance);
}

std::size_t Racing::generation_size(const Allowance& allowance) const {
  // What is left is 1 - spent of the budget; what lies beyond the screening share is for the races.
  const double budget = static_cast<double>(allowance.left) / (1 - allowance.spent);
  const double room = std::min((screening_share() - allowance.spent) * budget,
                               std::max(screening_share() * budget / generations(), kLeastGeneration));
  return std::min(allowance.batch, std::max<std::size_t>(static_cast<std::size_t>(std::ceil(std::min(room, 1e9))), 1));
}

/// The survivors of the rung before, one rung up.
std::vector<Proposal> Racing::race(const Scoreboard& seen, const Allowance& allowance) {
  if (rung_ == kLastRung) return {};
  std::vector<std::size_t> field = seen.ranked();
  std::erase_if(field, [&](std::size_t candidate) { return seen.at(candidate).rung != rung_; });
  if (field.size() < 2) return {};
  const double limit_us = kFarBehind * seen.at(field.front()).median_us;
  std::erase_if(field, [&](std::size_t candidate) { return seen.at(candidate).median_us > limit_us; });
  const std::size_t third = std::max<std::size_t>((field.size() + 2) / 3, 4);
  field.resize(std::min({field.size(), third, kMostSurvivors, allowance.batch}));
  ++rung_;
  std::vector<Proposal> batch;
  for (const std::size_t candidate : field) batch.push_back({.candidate = candidate, .rung = rung_});
  return batch;
}

}  // namespace moetune
