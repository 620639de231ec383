// Pattern search: from the best of a few starts to the best neighbour, until none is faster; then from other starts.
#include <algorithm>
#include <optional>

#include "search/racing.h"

namespace moetune {
namespace {

constexpr std::size_t kStarts = 4;    // screened before the first walk
constexpr std::size_t kRestarts = 2;  // screened before each further one

class Local final : public Racing {
 public:
  Local(const StageSpace& space, std::uint64_t seed)
      : space_(space), order_(seeded_order(space, seed)), random_(seed) {}

 private:
  double generations() const override { return 8; }

  std::vector<std::size_t> screen(const Scoreboard& seen, std::size_t most) override {
    if (!at_) at_ = best_of(starts_, seen);
    while (at_) {
      std::vector<std::size_t> near = space_.neighbours(*at_);
      std::vector<std::size_t> unseen;
      for (const std::size_t candidate : near)
        if (!seen.has_seen(candidate)) unseen.push_back(candidate);
      // The whole pattern is looked at before a step is taken: the first neighbour that is faster is often so by
      // chance.
      if (!unseen.empty()) return some_of(std::move(unseen), most);
      const std::optional<std::size_t> next = best_of(near, seen);
      if (!next || seen.at(*next).median_us >= seen.at(*at_).median_us) break;
      at_ = next;
    }
    at_.reset();
    return new_starts(seen, most);
  }

  std::vector<std::size_t> new_starts(const Scoreboard& seen, std::size_t most) {
    const std::size_t wanted = std::min(most, starts_.empty() ? kStarts : kRestarts);
    starts_.clear();
    for (; next_ < order_.size() && starts_.size() < wanted; ++next_)
      if (!seen.has_seen(order_[next_])) starts_.push_back(order_[next_]);
    return starts_;
  }

  static std::optional<std::size_t> best_of(const std::vector<std::size_t>& candidates, const Scoreboard& seen) {
    std::optional<std::size_t> best;
    for (const std::size_t candidate : candidates)
      if (seen.has_seen(candidate) && seen.at(candidate).outcome == Outcome::ok &&
          (!best || seen.at(candidate).median_us < seen.at(*best).median_us))
        best = candidate;
    return best;
  }

  /// At random, as no axis matters more than another beforehand.
  std::vector<std::size_t> some_of(std::vector<std::size_t> candidates, std::size_t most) {
    for (std::size_t i = candidates.size(); i > 1; --i) std::swap(candidates[i - 1], candidates[draw(random_, i)]);
    candidates.resize(std::min(candidates.size(), most));
    return candidates;
  }

  const StageSpace& space_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
  std::vector<std::size_t> starts_;
  std::optional<std::size_t> at_;
  std::mt19937_64 random_;
};

}  // namespace

std::unique_ptr<Strategy> make_local(const StageSpace& space, std::uint64_t seed) {
  return std::make_unique<Local>(space, seed);
}

}  // namespace moetune
