#include "search/strategy.h"

#include <array>
#include <random>
#include <string>

#include "base/error.h"

namespace moetune {
namespace {

// By `moe-tune replay results/nvidia-h200-spaces --seeds 200`: eight whole spaces of 976 … 1520 configs of an H200,
// with evaluations for 5 % of them. Per cent off the optimum at the end, median and 95th percentile:
//   halving 0.04, 0.61   model 0.04, 0.51   local 0.04, 0.52   random 0.20, 0.96   anneal 0.20, 1.41
// The engines' first guesses are most of it: median 5 evaluations to 1 %. On the 50 configs or so of each of 97 spaces
// that were measured by chance (results/nvidia-h200/journal.jsonl of revision e200113), with 24 evaluations:
//   model 0.0, 2.0   local 0.0, 2.1   halving 0.1, 2.2   anneal 0.1, 2.4   random 0.3, 3.0
// That is level between the first three; halving fits no model that another GPU could belie, and is the default.
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

namespace {

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t key_of(const StageConfig& config, std::uint64_t seed) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;
  std::uint64_t key = mixed(seed + kStep);
  for (const char c : config.engine) key = mixed(key + kStep + static_cast<unsigned char>(c));
  for (const auto& [name, value] : config.config.values()) key = mixed(key + kStep + static_cast<std::uint64_t>(value));
  return key;
}

}  // namespace

std::vector<std::size_t> seeded_order(const StageSpace& space, std::optional<std::uint64_t> seed) {
  std::vector<std::size_t> rest;
  std::vector<bool> is_first(space.configs.size());
  for (const std::size_t candidate : space.first) is_first[candidate] = true;
  for (std::size_t i = 0; i < space.configs.size(); ++i)
    if (!is_first[i]) rest.push_back(i);
  if (seed) {
    // By a hash of the config, so that searches of other problems with this seed try the same ones: compiled once.
    std::vector<std::uint64_t> keys(space.configs.size());
    for (const std::size_t candidate : rest) keys[candidate] = key_of(space.configs[candidate], *seed);
    std::sort(rest.begin(), rest.end(),
              [&](std::size_t a, std::size_t b) { return std::pair(keys[a], a) < std::pair(keys[b], b); });
  }
  std::vector<std::size_t> order = space.first;
  order.insert(order.end(), rest.begin(), rest.end());
  return order;
}

}  // namespace moetune
