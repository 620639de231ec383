// Simulated annealing, several chains at once so that there is something to compile in parallel. A chain steps to a
// neighbour that is faster, and to a slower one with a probability that falls as the search goes on.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "search/racing.h"

namespace moetune {
namespace {

constexpr std::size_t kChains = 4;
constexpr double kHot = 0.1, kCold = 0.005;  // a neighbour slower by this share is taken once in e times
constexpr double kCooling = 0.85;            // a generation
constexpr int kKnownSteps = 50;              // that a chain may take over what has been seen before it rests

class Anneal final : public Racing {
 public:
  Anneal(const StageSpace& space, std::uint64_t seed)
      : space_(space), order_(seeded_order(space, seed)), random_(seed) {}

 private:
  struct Chain {
    std::optional<std::size_t> at, next;
  };

  double generations() const override { return 12; }

  std::vector<std::size_t> screen(const Scoreboard& seen, std::size_t most) override {
    if (chains_.empty()) chains_.resize(std::min({kChains, most, order_.size()}));
    temperature_ = std::max(kCold, temperature_ * kCooling);
    std::set<std::size_t> chosen;
    std::vector<std::size_t> batch;
    for (Chain& chain : chains_) {
      if (batch.size() == most) break;
      advance(chain, seen, chosen);
      if (chain.next && !seen.has_seen(*chain.next) && chosen.insert(*chain.next).second) batch.push_back(*chain.next);
    }
    return batch;
  }

  /// Until the chain's next step is one that nobody has measured.
  void advance(Chain& chain, const Scoreboard& seen, const std::set<std::size_t>& chosen) {
    for (int step = 0; step < kKnownSteps; ++step) {
      if (chain.next) {
        if (!seen.has_seen(*chain.next)) {
          if (!chosen.contains(*chain.next)) return;  // proposed before, and cut off
        } else if (accepts(chain, seen)) {
          chain.at = chain.next;
        }
      }
      const std::vector<std::size_t> near = chain.at ? space_.neighbours(*chain.at) : std::vector<std::size_t>();
      chain.next = near.empty() ? next_start(seen, chosen) : near[draw(random_, near.size())];
      if (!chain.next) return;
      if (!seen.has_seen(*chain.next) && !chosen.contains(*chain.next)) return;
    }
    chain.next = next_start(seen, chosen);
  }

  bool accepts(const Chain& chain, const Scoreboard& seen) {
    const Observation& next = seen.at(*chain.next);
    if (next.outcome != Outcome::ok) return false;
    if (!chain.at) return true;
    const double worse = std::log(next.median_us / seen.at(*chain.at).median_us);
    const double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;
    return uniform < std::exp(-worse / temperature_);
  }

  std::optional<std::size_t> next_start(const Scoreboard& seen, const std::set<std::size_t>& chosen) {
    while (next_ < order_.size()) {
      const std::size_t candidate = order_[next_++];
      if (!seen.has_seen(candidate) && !chosen.contains(candidate)) return candidate;
    }
    return std::nullopt;
  }

  const StageSpace& space_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
  std::vector<Chain> chains_;
  double temperature_ = kHot;
  std::mt19937_64 random_;
};

}  // namespace

std::unique_ptr<Strategy> make_anneal(const StageSpace& space, std::uint64_t seed) {
  return std::make_unique<Anneal>(space, seed);
}

}  // namespace moetune
