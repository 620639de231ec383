// Successive halving: the engines' guesses, configs at random and neighbours of the leaders by turns, then races.
#include <algorithm>
#include <set>

#include "search/racing.h"

namespace moetune {
namespace {

constexpr int kNeighboursEach = 2;   // tried for each config at random
constexpr std::size_t kParents = 4;  // whose neighbours are tried

class Halving final : public Racing {
 public:
  Halving(const StageSpace& space, std::uint64_t seed) : space_(space), order_(seeded_order(space, seed)) {}

  /// As if what is being measured left the leaders as they are.
  std::vector<std::size_t> foresee(const Scoreboard& seen, std::size_t most) const override {
    std::size_t next = next_;
    return choose(seen, most, next);
  }

 private:
  std::vector<std::size_t> screen(const Scoreboard& seen, std::size_t most) override {
    return choose(seen, most, next_);
  }

  /// From `next` on in the order, which moves on.
  std::vector<std::size_t> choose(const Scoreboard& seen, std::size_t most, std::size_t& next) const {
    const std::vector<std::size_t> near = unseen_neighbours(seen);
    auto neighbour = near.begin();
    std::set<std::size_t> chosen;
    std::vector<std::size_t> batch;
    const auto add = [&](std::size_t candidate) {
      if (!seen.has_seen(candidate) && chosen.insert(candidate).second) batch.push_back(candidate);
    };
    while (batch.size() < most && (neighbour != near.end() || next < order_.size())) {
      for (int i = 0; i < kNeighboursEach && batch.size() < most && neighbour != near.end(); ++i) add(*neighbour++);
      if (batch.size() < most && next < order_.size()) add(order_[next++]);
    }
    return batch;
  }

  std::vector<std::size_t> unseen_neighbours(const Scoreboard& seen) const {
    std::vector<std::size_t> leaders = seen.ranked();
    leaders.resize(std::min(leaders.size(), kParents));
    std::vector<std::size_t> near;
    for (const std::size_t leader : leaders)
      for (const std::size_t candidate : space_.neighbours(leader))
        if (!seen.has_seen(candidate)) near.push_back(candidate);
    return near;
  }

  const StageSpace& space_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Strategy> make_halving(const StageSpace& space, std::uint64_t seed) {
  return std::make_unique<Halving>(space, seed);
}

}  // namespace moetune
