#include "results/names.h"

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"

namespace moetune {
namespace {

constexpr std::array kFills{Fill::random, Fill::exact_integer};
constexpr std::array kCacheStates{CacheState::cold, CacheState::warm};
constexpr std::array kBackends{Backend::cpu, Backend::cuda, Backend::fake};

template <class T, std::size_t N>
T parse(std::string_view what, std::string_view name, const std::array<T, N>& values) {
  std::array<std::string_view, N> names;
  for (std::size_t i = 0; i < N; ++i) {
    names[i] = to_string(values[i]);
    if (names[i] == name) return values[i];
  }
  throw Error(fmt::format("unknown {} '{}'; known: {}", what, name, fmt::join(names, ", ")));
}

}  // namespace

std::string_view to_string(Fill fill) {
  switch (fill) {
    case Fill::random:
      return "random";
    case Fill::exact_integer:
      return "exact_integer";
  }
  return "?";
}

std::string_view to_string(CacheState cache) {
  switch (cache) {
    case CacheState::cold:
      return "cold";
    case CacheState::warm:
      return "warm";
  }
  return "?";
}

std::string_view to_string(LaunchMode launch) {
  switch (launch) {
    case LaunchMode::graph:
      return "graph";
    case LaunchMode::stream:
      return "stream";
    case LaunchMode::eager:
      return "eager";
  }
  return "?";
}

std::string_view to_string(LoadState load) {
  switch (load) {
    case LoadState::lasting:
      return "lasting";
    case LoadState::replays:
      return "replays";
  }
  return "?";
}

Fill parse_fill(std::string_view name) {
  return parse("fill", name, kFills);
}
CacheState parse_cache_state(std::string_view name) {
  return parse("cache state", name, kCacheStates);
}
LaunchMode parse_launch_mode(std::string_view name) {
  return parse("launch mode", name, kLaunchModes);
}
LoadState parse_load_state(std::string_view name) {
  return parse("load", name, kLoadStates);
}
Backend parse_backend(std::string_view name) {
  return parse("backend", name, kBackends);
}

std::string benchmark_name(const Problem& problem, Impl impl) {
  std::string name = problem.model;
  if (name.empty())
    name = fmt::format("K:{}/N1:{}/N2:{}/E:{}/topk:{}", problem.K, problem.N1, problem.N2, problem.E, problem.topk);
  if (problem.ep_ranks > 1) name += fmt::format("/ep:{}/rank:{}", problem.ep_ranks, problem.ep_rank);
  if (problem.dtype != DType::bf16) name += fmt::format("/{}", to_string(problem.dtype));
  if (problem.activation != Activation::silu) name += fmt::format("/{}", to_string(problem.activation));
  if (problem.bias != Bias::none) name += fmt::format("/bias:{}", to_string(problem.bias));
  if (problem.weight_on_input) name += "/weight_on_input";
  if (problem.routing != RoutingSpec{}) name += fmt::format("/{}", to_string(problem.routing));
  return name + fmt::format("/M:{}/{}", problem.M, to_string(impl));
}

}  // namespace moetune
