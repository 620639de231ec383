#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "search/defaults.h"
#include "search/ranking.h"
#include "search/workbench.h"

namespace moetune {

/// A stage's best configs and their times alone, best first.
using StageLeaders = std::map<Stage, std::vector<std::pair<StageConfig, double>>>;

/// The defaults (the first is *the* default), then the `joins` most promising combinations of the stages' leaders, by
/// the sum of their times; none twice.
std::vector<Finalist> join_leaders(Impl impl, const Defaults& defaults, const StageLeaders& leaders, std::size_t joins);

struct FinalsResult {
  std::vector<Best> best;                                       ///< in the order of the implementations given
  std::map<Impl, std::map<std::string, std::size_t>> failures;  ///< of finalists that did not work: reason -> how often
};

/// Measures all finalists in common rounds, ranks them for each implementation, refills the inputs with `fresh` data,
/// verifies winners and defaults on it and measures them again. `seconds` is what all this may take, roughly.
FinalsResult run_finals(Workbench& bench, const std::vector<std::pair<Impl, std::vector<Finalist>>>& finalists,
                        const DataSpec& fresh, std::optional<double> seconds);

}  // namespace moetune
