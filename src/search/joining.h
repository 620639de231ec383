// From the stages' own best configs to the pipelines that go into the finals.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "search/defaults.h"
#include "search/ranking.h"
#include "search/scoreboard.h"
#include "search/workbench.h"

namespace moetune {

/// A stage's best configs and their times alone, best first.
using StageLeaders = std::map<Stage, std::vector<std::pair<StageConfig, double>>>;

/// The best of a stage, and besides them the best of each other launch shape: how kernels overlap, which their times
/// alone do not show, depends on what they leave of a multiprocessor to the next one. Those of `known`, of which good
/// pipelines are made already, are among them unless they are far behind.
std::vector<std::pair<StageConfig, double>> pick_leaders(const StageSpace& space, const Scoreboard& board,
                                                         std::span<const StageConfig> known = {});

struct JoinLimits {
  std::size_t finalists = 4;      ///< besides the defaults
  std::size_t tries = 0;          ///< pipelines to be measured whole at most; too few to be worth it: none
  std::optional<double> seconds;  ///< for measuring them
};

/// The defaults that are not far behind (the first is *the* default), then the most promising pipelines of the stages'
/// leaders; none twice. The default's stages are tried with the best of the others, then the leaders of each stage with
/// the best of the others, then the best of all these with each other, then the rest, screened in common rounds as
/// whole pipelines; those that no try is left for follow by the sum of their stages' times. Every try is a trial.
std::vector<Finalist> join_leaders(Workbench& bench, Impl impl, const Defaults& defaults, const StageLeaders& leaders,
                                   const JoinLimits& limits);

}  // namespace moetune
