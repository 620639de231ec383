// Configs measured against each other: all built and verified first, then sampled by turns.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "search/workbench.h"

namespace moetune {

/// What came of a config.
struct Tried {
  std::optional<Verdict> verdict;  ///< there wherever it ran
  Result<Measurement> measured;    ///< or why there is no time
};

/// Tries all configs on the inputs of the bench, those that work in `rounds` common rounds by this rule. One for each
/// config, in their order; a config that is there twice is built twice. Each is a trial of its own, which the bench's
/// events get under the name of `phase`; one that is on record as failed is not tried again. Nothing where the events
/// ended it.
std::optional<std::vector<Tried>> try_in_common_rounds(Workbench& bench, std::span<const PipelineConfig> configs,
                                                       int rounds, const SamplingRule& rule, std::string_view phase);

}  // namespace moetune
