#include "search/buckets.h"

#include <cmath>
#include <stdexcept>

namespace moetune {
namespace {

/// A set of M that keep their configs, seen from its last one.
struct Chain {
  std::size_t kept = 0;  ///< M with a config of their own
  double lost = 0;       ///< by all that are served so far
  std::vector<std::size_t> members;

  bool is_better_than(const Chain& other) const {
    if (kept != other.kept) return kept < other.kept;
    if (lost != other.lost) return lost < other.lost;
    return members < other.members;
  }
};

/// What the M of [first, end) lose together with the config of `server`; nothing where one of them loses too much.
std::optional<double> loss(const RegretMatrix& regret, double margin, std::size_t first, std::size_t end,
                           std::size_t server) {
  double sum = 0;
  for (std::size_t i = first; i < end; ++i) {
    if (i == server) continue;
    if (!regret[i][server] || !(*regret[i][server] <= margin)) return std::nullopt;
    sum += *regret[i][server];
  }
  return sum;
}

/// The first of the M after `a` that is nearer to `b`, a < b.
std::size_t first_served_by_next(std::span<const std::int64_t> Ms, std::size_t a, std::size_t b) {
  const std::int64_t last = last_nearer(Ms[a], Ms[b]);
  std::size_t i = a + 1;
  while (i < b && Ms[i] <= last) ++i;
  return i;
}

void check(std::span<const std::int64_t> Ms, const RegretMatrix& regret) {
  if (regret.size() != Ms.size()) throw std::invalid_argument("a row of regrets for each M");
  for (std::size_t i = 0; i < Ms.size(); ++i) {
    if (regret[i].size() != Ms.size()) throw std::invalid_argument("a column of regrets for each M");
    if (Ms[i] <= (i == 0 ? 0 : Ms[i - 1])) throw std::invalid_argument("M in ascending order");
  }
}

}  // namespace

std::int64_t last_nearer(std::int64_t a, std::int64_t b) {
  auto middle = static_cast<std::int64_t>(std::sqrt(static_cast<double>(a) * static_cast<double>(b)));
  while (middle * middle > a * b) --middle;
  while ((middle + 1) * (middle + 1) <= a * b) ++middle;
  return middle;
}

// Who serves the M between two neighbours of a set depends on these two alone, so the best set that ends in an M is the
// best that ends in one before it, and that M.
Buckets choose_buckets(std::span<const std::int64_t> Ms, const RegretMatrix& regret, double margin) {
  check(Ms, regret);
  const std::size_t n = Ms.size();
  std::vector<std::optional<Chain>> ending(n);  // in the i-th, all M up to it served
  std::optional<Chain> best;
  for (std::size_t b = 0; b < n; ++b) {
    const auto consider = [&](std::optional<Chain>& known, Chain chain) {
      if (!known || chain.is_better_than(*known)) known = std::move(chain);
    };
    if (const auto before = loss(regret, margin, 0, b, b))
      consider(ending[b], {.kept = 1, .lost = *before, .members = {b}});
    for (std::size_t a = 0; a < b; ++a) {
      if (!ending[a]) continue;
      const std::size_t turn = first_served_by_next(Ms, a, b);
      const auto left = loss(regret, margin, a, turn, a), right = loss(regret, margin, turn, b, b);
      if (!left || !right) continue;
      Chain longer = *ending[a];
      ++longer.kept;
      longer.lost += *left + *right;
      longer.members.push_back(b);
      consider(ending[b], std::move(longer));
    }
    if (!ending[b]) continue;
    if (const auto after = loss(regret, margin, b, n, b)) {
      Chain whole = *ending[b];
      whole.lost += *after;
      consider(best, std::move(whole));
    }
  }

  Buckets buckets(n);
  if (!best) return buckets;  // of no M
  const std::vector<std::size_t>& kept = best->members;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    const std::size_t first = k == 0 ? 0 : first_served_by_next(Ms, kept[k - 1], kept[k]);
    for (std::size_t i = first; i < n; ++i) buckets[i] = kept[k];
  }
  return buckets;
}

}  // namespace moetune
