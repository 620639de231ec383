#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "search/ranking.h"
#include "search/workbench.h"

namespace moetune {

struct FinalsResult {
  std::vector<Best> best;                                       ///< in the order of the implementations given
  std::map<Impl, std::map<std::string, std::size_t>> failures;  ///< of finalists that did not work: reason -> how often
};

/// Of the time for the finals, what the rounds of all finalists take.
inline constexpr double kFinalsShare = 0.4;

/// Measures all finalists in common rounds, ranks them for each implementation, refills the inputs with `fresh` data,
/// verifies winners, the fastest and defaults on it, at a power limit also others near them, and measures these again
/// under lasting load of their own, or as replays (TimingOptions::load), which decides. `seconds` is what all this may
/// take, roughly.
FinalsResult run_finals(Workbench& bench, const std::vector<std::pair<Impl, std::vector<Finalist>>>& finalists,
                        const DataSpec& fresh, std::optional<double> seconds);

}  // namespace moetune
