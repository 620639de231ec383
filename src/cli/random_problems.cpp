#include "cli/random_problems.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "kernels/lib/fill.h"

namespace moetune {
namespace {

constexpr std::int64_t kMostM = 300, kMostExperts = 64, kMostTopk = 8, kMostWidth = 600;
// So that filling in and computing a reference take some milliseconds of a core each.
constexpr std::int64_t kMostWeights = 10'000'000, kMostMacs = 100'000'000;

/// Uniform in 0 … n-1, as nearly as matters here.
std::int64_t below(Random& random, std::int64_t n) {
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
}

bool one_in(Random& random, std::int64_t n) {
  return below(random, n) == 0;
}

template <class Values>
auto any_of_these(Random& random, const Values& values) {
  return values[static_cast<std::size_t>(below(random, static_cast<std::int64_t>(std::size(values))))];
}

/// K, N1/2 or N2: half of the time a multiple of what tiles are made of, or 8 more.
std::int64_t draw_width(Random& random) {
  if (one_in(random, 2)) return 8 * (1 + below(random, kMostWidth / 8));
  const std::int64_t unit = any_of_these(random, std::array{16, 64, 128});
  const std::int64_t width = unit * (1 + below(random, kMostWidth / unit));
  return one_in(random, 2) ? width : std::min(width + 8, kMostWidth);
}

std::int64_t draw_tokens(Random& random) {
  constexpr std::array kEdges{8, 16, 32, 64, 128, 192, 256};
  switch (below(random, 3)) {
    case 0:
      return 1 + below(random, 16);
    case 1: {
      const std::int64_t edge = any_of_these(random, kEdges);
      return edge - 1 + below(random, 3);
    }
    default:
      return 1 + below(random, kMostM);
  }
}

RoutingSpec draw_routing(Random& random) {
  using Kind = RoutingSpec::Kind;
  RoutingSpec routing{
      .kind = any_of_these(random, std::array{Kind::uniform, Kind::zipf, Kind::one_expert, Kind::balanced})};
  if (routing.kind == Kind::zipf) routing.zipf_s = any_of_these(random, std::array{0.5, 1.0, 2.0});
  return routing;
}

/// Tokens, experts and routing.
void draw_load(Random& random, Problem& problem) {
  const std::int64_t macs = problem.K * problem.N1 + problem.inner() * problem.N2;  // of a slot; weights of an expert
  do {
    problem.E =
        one_in(random, 2) ? any_of_these(random, std::array{1, 2, 4, 8, 16, 32, 64}) : 1 + below(random, kMostExperts);
    problem.M = draw_tokens(random);
    problem.ep_ranks = one_in(random, 4) ? any_of_these(random, std::array{2, 3, 4, 8}) : 1;
    problem.ep_rank = below(random, problem.ep_ranks);
    problem.topk = 1 + below(random, std::min(problem.global_experts(), kMostTopk));
    if (one_in(random, 8)) {  // so few slots that each has a tile of its own
      problem.E = 32 + below(random, kMostExperts - 31);
      problem.M = 1 + below(random, 2);
      problem.topk = 1 + below(random, std::min(problem.E / 4 / problem.M, kMostTopk));
    }
  } while (problem.E * macs > kMostWeights || problem.slots() * macs > kMostMacs);
  problem.routing = draw_routing(random);
}

/// Stage configs, each of an engine of its own; nothing where one of them cannot do the problem.
std::optional<std::map<Stage, StageConfig>> draw_stages(Random& random, const FamilySource& source,
                                                        const Problem& problem) {
  std::map<Stage, StageConfig> stages = source.given;
  for (const Impl impl : source.impls)
    for (const Stage stage : tunable_stages_of(impl)) {
      if (stages.contains(stage)) continue;
      const Engine& engine = *any_of_these(random, source.spaces.engines);
      const auto config = draw_config(random, source.spaces, engine, stage, problem, source.device.info());
      if (!config) return std::nullopt;
      stages.emplace(stage, *config);
    }
  return stages;
}

/// One drawn from, or, where its config was given, any other.
const Engine& engine_of(const StageConfig& config, const SpaceOptions::Spaces& spaces) {
  for (const Engine* engine : spaces.engines)
    if (engine->name == config.engine) return *engine;
  return find_engine(config.engine);
}

bool can_run(const std::map<Stage, StageConfig>& stages, const Problem& problem, const SpaceOptions::Spaces& spaces,
             const DeviceInfo& device) {
  return std::none_of(stages.begin(), stages.end(), [&](const auto& each) {
    const auto& [stage, config] = each;
    return engine_of(config, spaces).why_invalid(config.config, stage, problem, device).has_value();
  });
}

}  // namespace

std::optional<StageConfig> draw_config(Random& random, const SpaceOptions::Spaces& spaces, const Engine& engine,
                                       Stage stage, const Problem& problem, const DeviceInfo& device) {
  const SearchSpace& space = spaces.of(stage, engine);
  constexpr int kDraws = 1000;  // legal ones are not that rare
  for (int draw = 0; draw < kDraws; ++draw) {
    Config drawn = space.at(random() % space.size());
    if (!engine.why_invalid(drawn, stage, problem, device))
      return StageConfig{.engine = std::string(engine.name), .config = std::move(drawn)};
  }
  return std::nullopt;
}

Problem draw_problem(Random& random) {
  Problem problem{.K = draw_width(random), .N1 = 2 * draw_width(random), .N2 = draw_width(random)};
  problem.dtype = any_of_these(random, kDTypes);
  problem.activation = any_of_these(random, kActivations);
  problem.bias = any_of_these(random, kBiases);
  problem.weight_on_input = one_in(random, 4);
  draw_load(random, problem);
  return problem;
}

PipelineConfig Family::config(Impl impl) const {
  PipelineConfig config{.impl = impl, .stages = {}};
  for (const Stage stage : tunable_stages_of(impl)) config.stages.insert(*stages.find(stage));
  return config;
}

Family FamilySource::draw(std::size_t index, std::size_t members) const {
  Random random(mix_bits(seed) + index);
  const auto data = [&] { return DataSpec{.fill = any_of_these(random, fills), .seed = 1 + random() % 1'000'000}; };
  Family family;
  constexpr int kDraws = 100;
  for (int draw = 0; draw < kDraws && family.members.empty(); ++draw) {
    const Problem problem = draw_problem(random);
    const auto stages = draw_stages(random, *this, problem);
    if (!stages || !can_run(*stages, problem, spaces, device.info())) continue;
    family.stages = *stages;
    family.members.push_back({.problem = problem, .data = data()});
  }
  if (family.members.empty())
    throw Error(
        "no random problem can be computed with the configs asked for: leave more of --engine, -c and --config open");

  const Problem first = family.members.front().problem;
  const std::vector<std::pair<Stage, StageConfig>> stages(family.stages.begin(), family.stages.end());
  const std::vector<KernelSource> kernels = device.kernels(first, stages);
  while (family.members.size() < members) {
    // Kernels may be compiled for widths that their tiles divide, or exceed: where such are rare, the first one's
    // serve.
    Problem problem = first;
    for (int draw = 0; draw < kDraws; ++draw) {
      Problem sibling = first;
      if (draw < kDraws / 2)
        sibling.K = draw_width(random), sibling.N1 = 2 * draw_width(random), sibling.N2 = draw_width(random);
      draw_load(random, sibling);
      if (!can_run(family.stages, sibling, spaces, device.info()) || device.kernels(sibling, stages) != kernels)
        continue;
      problem = sibling;
      break;
    }
    family.members.push_back({.problem = problem, .data = data()});
  }
  return family;
}

}  // namespace moetune
