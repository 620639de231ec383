#include "search/stage_space.h"

#include <algorithm>
#include <iterator>

#include "base/run_tasks.h"

namespace moetune {
namespace {

std::size_t differing_axes(const Config& a, const Config& b) {
  std::size_t count = 0;
  for (const auto& [name, value] : a.values()) count += b.find(name) != value;
  return count;
}

/// The legal ones of a space, in its order, and why the others are not.
struct Legal {
  std::vector<StageConfig> configs;
  std::map<std::string, std::size_t> rejected;
};

/// On all hardware threads: a space of 100,000 configs takes one of them a quarter of a second.
Legal legal_configs(const SearchSpace& space, const Engine& engine, const Legality& legality) {
  constexpr std::uint64_t kChunk = 4096;
  std::vector<Legal> chunks((space.size() + kChunk - 1) / kChunk);
  run_tasks(static_cast<std::int64_t>(chunks.size()), [&](std::int64_t chunk) {
    const std::uint64_t begin = static_cast<std::uint64_t>(chunk) * kChunk;
    Legal& found = chunks[chunk];
    for (std::uint64_t i = begin; i < std::min(begin + kChunk, space.size()); ++i) {
      Config config = space.at(i);
      if (const auto why = legality(engine, config))
        ++found.rejected[*why];
      else
        found.configs.push_back({.engine = std::string(engine.name), .config = std::move(config)});
    }
  });
  Legal all;
  for (Legal& chunk : chunks) {
    std::move(chunk.configs.begin(), chunk.configs.end(), std::back_inserter(all.configs));
    for (const auto& [reason, count] : chunk.rejected) all.rejected[reason] += count;
  }
  return all;
}

}  // namespace

std::vector<std::size_t> StageSpace::neighbours(std::size_t candidate) const {
  const StageConfig& from = configs[candidate];
  std::vector<std::size_t> near;
  for (const EngineSpace& each : engines) {
    if (each.engine->name != from.engine) continue;
    for (const Config& config : each.space.neighbours(from.config))
      if (const auto found = index.find({.engine = from.engine, .config = config}); found != index.end())
        near.push_back(found->second);
  }
  return near;
}

StageSpace make_stage_space(const Problem& problem, Stage stage, const DeviceInfo& device,
                            std::vector<StageSpace::EngineSpace> spaces, const Legality& legality) {
  const Legality is_legal = legality ? legality : [&](const Engine& engine, const Config& config) {
    return engine.why_invalid(config, stage, problem, device);
  };
  StageSpace result{.problem = problem, .stage = stage, .device = device};
  std::vector<std::vector<std::size_t>> first_by_engine;
  std::erase_if(spaces, [&](const StageSpace::EngineSpace& each) { return !runs_on(*each.engine, device); });
  std::stable_sort(spaces.begin(), spaces.end(),
                   [&](const auto& a, const auto& b) { return is_likelier(*a.engine, *b.engine, problem); });
  for (StageSpace::EngineSpace& each : spaces) {
    const Engine& engine = *each.engine;
    const std::size_t begin = result.configs.size();
    Legal legal = legal_configs(each.space, engine, is_legal);
    for (const auto& [reason, count] : legal.rejected) result.rejected[reason] += count;
    for (StageConfig& config : legal.configs) {
      result.index.emplace(config, result.configs.size());
      result.configs.push_back(std::move(config));
    }

    const std::vector<Config> guesses = engine.first_configs(stage, problem, device);
    std::vector<std::size_t> first;
    const auto begin_with = [&](const Config& config) {
      const auto found = result.index.find({.engine = std::string(engine.name), .config = config});
      if (found != result.index.end()) first.push_back(found->second);
    };
    for (const Config& guess : guesses) {
      begin_with(guess);
      for (const auto& [key, value] : engine.unrepeatable_values) {
        Config other = guess;
        other.set(key, value);
        if (other != guess) begin_with(other);
      }
    }
    if (first.empty() && !guesses.empty() && begin < result.configs.size()) {
      std::size_t nearest = begin;
      for (std::size_t i = begin; i < result.configs.size(); ++i)
        if (differing_axes(guesses.front(), result.configs[i].config) <
            differing_axes(guesses.front(), result.configs[nearest].config))
          nearest = i;
      first.push_back(nearest);
    }
    first_by_engine.push_back(std::move(first));
    result.engines.push_back(std::move(each));
  }
  for (std::size_t rank = 0, added = 1; added > 0; ++rank) {
    added = 0;
    for (const std::vector<std::size_t>& first : first_by_engine)
      if (rank < first.size()) {
        result.first.push_back(first[rank]);
        ++added;
      }
  }
  return result;
}

}  // namespace moetune
