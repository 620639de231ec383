#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "search/budget.h"
#include "search/scoreboard.h"
#include "search/stage_space.h"

namespace moetune {

/// What to measure next, and how closely.
struct Proposal {
  std::size_t candidate = 0;  ///< index into StageSpace::configs
  int rung = 0;  ///< 0: alone and quickly; above: together with the rest of the batch, in interleaved rounds

  bool operator==(const Proposal&) const = default;
};

/// A way to search a stage's space. The loop (search/stage_search.h) measures what is proposed and keeps the budget and
/// the scoreboard; a strategy only chooses. To add one: a file, and a row in the table of strategy.cpp.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// The next batch, at most allowance.batch, distinct; empty when there is nothing left worth measuring. All of a
  /// batch are of one rung. Proposals of an earlier batch that the budget cut off are not on the scoreboard.
  virtual std::vector<Proposal> propose(const Scoreboard& seen, const Allowance& allowance) = 0;

  /// Candidates that it is likely to propose once the batch at hand has been measured, the likeliest first, at most
  /// `most`: they are compiled meanwhile. Those that it has proposed already may be among them.
  virtual std::vector<std::size_t> foresee(const Scoreboard&, std::size_t) const { return {}; }

  /// The most it likes to have in a batch. All of a batch are compiled together, on as many threads as the host has; a
  /// strategy that learns from what it sees takes fewer.
  virtual std::size_t batch() const { return 16; }
};

/// A row of the strategy table. The space outlives what it makes.
struct StrategyRow {
  std::string_view name;
  std::string_view summary;  ///< one line for --help
  std::unique_ptr<Strategy> (*make)(const StageSpace& space, std::uint64_t seed);
  bool takes_all = false;  ///< without a budget it goes through the whole space
};

/// All strategies, the default first.
std::span<const StrategyRow> strategies();
/// Throws Error naming the strategies there are.
const StrategyRow& find_strategy(std::string_view name);

// Each in the file of its name.
std::unique_ptr<Strategy> make_halving(const StageSpace& space, std::uint64_t seed);
std::unique_ptr<Strategy> make_model(const StageSpace& space, std::uint64_t seed);
std::unique_ptr<Strategy> make_local(const StageSpace& space, std::uint64_t seed);
std::unique_ptr<Strategy> make_anneal(const StageSpace& space, std::uint64_t seed);
std::unique_ptr<Strategy> make_random(const StageSpace& space, std::uint64_t seed);
std::unique_ptr<Strategy> make_exhaustive(const StageSpace& space, std::uint64_t seed);

/// All candidates once: the engines' first guesses, then the rest shuffled by `seed`, or as they stand where there is
/// none.
std::vector<std::size_t> seeded_order(const StageSpace& space, std::optional<std::uint64_t> seed);

}  // namespace moetune
