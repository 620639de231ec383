#pragma once

#include <map>
#include <string>
#include <vector>

#include "search/stage_space.h"
#include "search/workbench.h"

namespace moetune {

/// The configs to choose from, for each tunable stage wanted.
using StageSpaces = std::map<Stage, StageSpace>;

/// A pipeline that works before anything is searched: what stages are searched in, and what a winner has to beat.
struct Default {
  std::string engine;  ///< empty where the stages needed several
  PipelineConfig config;
  double median_us = 0;  ///< whole pipeline, screened
};

struct Defaults {
  std::vector<Default> working;                 ///< at most one for each engine, in order of preference
  std::map<std::string, std::size_t> failures;  ///< reason -> how often, of those that did not work

  /// The one with `engine`, else the first.
  const Default& of(std::string_view engine) const;
};

/// Tries each engine's first guesses in all stages of `impl`, then less likely configs, until one pipeline is verified
/// and timed; where no engine can do all stages, the engines mixed. Every try is a trial.
Defaults find_defaults(Workbench& bench, Impl impl, const StageSpaces& spaces);

/// "compile_error: too many registers (12 times)" of the most frequent; empty where there is none.
std::string most_frequent(const std::map<std::string, std::size_t>& reasons);

}  // namespace moetune
