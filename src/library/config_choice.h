// Which config for which number of tokens.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "library/tuned_configs.h"
#include "problem/problem.h"
#include "space/config.h"

namespace moetune {

/// The config of calls with `from` to `to` tokens.
struct ConfigRange {
  std::int64_t from = 1, to = 1;
  PipelineConfig config;
  std::string why;

  bool operator==(const ConfigRange&) const = default;
};

/// Configs that turned out not to work, each with the reason.
using RefusedConfigs = std::map<std::pair<Stage, StageConfig>, std::string>;

/// The ranges from one token to problem.M, without gaps. `impls` can be chosen from.
///
/// Of `tuned`, those count that have the problem's sizes and were measured on a device of this name. A range reaches
/// from a tuned M halfway, in ratio, to the next. Where several were tuned at one M, those for the very problem come
/// before those that differ in dtype, activation, bias or routing, and among them the fastest. Where none are tuned,
/// the engines' first guesses at each power of two are put in order by search/prior.h. Each config is legal in all of
/// its range, and none is refused. Throws Error where there is none for some M.
std::vector<ConfigRange> choose_configs(const Problem& problem, std::span<const Impl> impls,
                                        std::span<const TunedConfig> tuned, const Environment& here,
                                        const RefusedConfigs& refused);

}  // namespace moetune
