#include "search/strategy.h"

#include <array>
#include <random>
#include <string>

#include "base/error.h"

namespace moetune {
namespace {

// By replay, with 5 % of the configs: 36 spaces of 976 … 1472 configs, five models at M = 1 …
// 16384, of which 55 … 150 configs each were measured on an H200 and the others drawn to go with them, under three
// assumptions of how rough such a space is. Per cent off the optimum at the end, median and 95th percentile over 30
// seeds:
//   model 0.1, 1.0   local 1.7, 6.4   halving 2.1, 4.9   anneal 1.9, 6.4   random 1.5, 5.5
// On the measured configs alone (results/*/journal.jsonl), 24 evaluations of 55 on average:
//   model 0.0, 2.0   local 0.0, 2.1   halving 0.1, 2.2   anneal 0.1, 2.4   random 0.3, 3.0
// The drawn configs suit `model`, which assumes what they were drawn from. No space has been recorded whole so far
// (scripts/record-spaces does it): until `moe-tune replay` says so on some, `model` is not the default.
constexpr std::array<StrategyRow, 6> kStrategies{
    {{"halving",
      "screen guesses, random configs and neighbours of the leaders; re-measure survivors in rounds (default)",
      make_halving},
     {"model",
      "screen what a model of the times, learnt from a prior and from what was seen, promises most; re-measure "
      "survivors in rounds",
      make_model},
     {"local", "walk to the fastest neighbour until there is none, then again from elsewhere; re-measure survivors",
      make_local},
     {"anneal", "several walks that take slower neighbours too, ever more rarely; re-measure survivors", make_anneal},
     {"random", "screen guesses, then configs at random", make_random},
     {"exhaustive", "screen every legal config, once each; all of them where no --budget is given", make_exhaustive,
      true}}};

}  // namespace

std::span<const StrategyRow> strategies() {
  return kStrategies;
}

const StrategyRow& find_strategy(std::string_view name) {
  std::string known;
  for (const StrategyRow& row : kStrategies) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error("unknown strategy '" + std::string(name) + "': strategies are " + known);
}

std::vector<std::size_t> seeded_order(const StageSpace& space, std::optional<std::uint64_t> seed) {
  std::vector<std::size_t> rest;
  std::vector<bool> is_first(space.configs.size());
  for (const std::size_t candidate : space.first) is_first[candidate] = true;
  for (std::size_t i = 0; i < space.configs.size(); ++i)
    if (!is_first[i]) rest.push_back(i);
  if (seed) {
    // Fisher and Yates by hand: std::shuffle gives another order with another standard library.
    std::mt19937_64 random(*seed);
    for (std::size_t i = rest.size(); i > 1; --i) std::swap(rest[i - 1], rest[random() % i]);
  }
  std::vector<std::size_t> order = space.first;
  order.insert(order.end(), rest.begin(), rest.end());
  return order;
}

}  // namespace moetune
