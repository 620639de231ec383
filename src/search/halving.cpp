// Successive halving. Most of the budget goes into screening: first the engines' guesses and some random configs, then
// neighbours of the leaders and further random configs by turns. The rest re-measures, in interleaved rounds, those not
// far behind, and the best third of these again more closely.
#include <algorithm>
#include <cmath>
#include <set>

#include "search/strategy.h"

namespace moetune {
namespace {

constexpr double kScreeningShare = 0.7;     // of the budget
constexpr double kGenerations = 4;          // of screening: more learn more, fewer keep more compilers busy
constexpr double kLeastGeneration = 4;      // configs
constexpr int kNeighboursEach = 2;          // tried for each config at random
constexpr std::size_t kLeaders = 4;         // whose neighbours are tried
constexpr double kFarBehind = 1.5;          // of the best screening time: not worth a second look
constexpr std::size_t kMostSurvivors = 12;  // who are all built at once
constexpr int kLastRung = 2;

class Halving : public Strategy {
 public:
  Halving(const StageSpace& space, std::uint64_t seed) : space_(space), order_(seeded_order(space, seed)) {}

  std::vector<Proposal> propose(const Scoreboard& seen, const Allowance& allowance) override {
    if (rung_ == 0) {
      const std::vector<Proposal> screened = screen(seen, allowance);
      if (!screened.empty()) return screened;
    }
    return race(seen, allowance);
  }

 private:
  std::vector<Proposal> screen(const Scoreboard& seen, const Allowance& allowance) {
    if (allowance.spent >= kScreeningShare) return {};
    // What is left is 1 - spent of the budget; what lies beyond the screening share is for the races.
    const double budget = static_cast<double>(allowance.left) / (1 - allowance.spent);
    const double room = std::min((kScreeningShare - allowance.spent) * budget,
                                 std::max(kScreeningShare * budget / kGenerations, kLeastGeneration));
    const std::size_t most =
        std::min(allowance.batch, std::max<std::size_t>(static_cast<std::size_t>(std::ceil(std::min(room, 1e9))), 1));

    const std::vector<std::size_t> near = unseen_neighbours(seen);
    auto neighbour = near.begin();
    std::set<std::size_t> chosen;
    std::vector<Proposal> batch;
    const auto add = [&](std::size_t candidate) {
      if (!seen.has_seen(candidate) && chosen.insert(candidate).second) batch.push_back({.candidate = candidate});
    };
    while (batch.size() < most && (neighbour != near.end() || next_ < order_.size())) {
      for (int i = 0; i < kNeighboursEach && batch.size() < most && neighbour != near.end(); ++i) add(*neighbour++);
      if (batch.size() < most && next_ < order_.size()) add(order_[next_++]);
    }
    return batch;
  }

  std::vector<std::size_t> unseen_neighbours(const Scoreboard& seen) const {
    std::vector<std::size_t> leaders = seen.ranked();
    leaders.resize(std::min(leaders.size(), kLeaders));
    std::vector<std::size_t> near;
    for (const std::size_t leader : leaders)
      for (const std::size_t candidate : space_.neighbours(leader))
        if (!seen.has_seen(candidate)) near.push_back(candidate);
    return near;
  }

  /// The survivors of the rung before, one rung up.
  std::vector<Proposal> race(const Scoreboard& seen, const Allowance& allowance) {
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

  const StageSpace& space_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
  int rung_ = 0;
};

}  // namespace

std::unique_ptr<Strategy> make_halving(const StageSpace& space, std::uint64_t seed) {
  return std::make_unique<Halving>(space, seed);
}

}  // namespace moetune
