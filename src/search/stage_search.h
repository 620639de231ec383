#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "search/budget.h"
#include "search/defaults.h"
#include "search/scoreboard.h"
#include "search/strategy.h"

namespace moetune {

struct StageResult {
  Scoreboard board;
  std::map<std::string, std::size_t> failures;  ///< reason -> trials
  bool device_lost = false;                     ///< after a config's fault not even the default runs any more
};

/// Searches `stage` within what the meter allows. Each candidate runs in `host`'s pipeline with its own engine, in
/// place of the stage's default; it is verified, then the stage is timed alone. Every attempt is reported as a trial.
/// `to_come` is how many attempts are expected after this stage, for the progress; `comes_next` is likely to be
/// attempted then, and compiled where the host has nothing better to do.
StageResult search_stage(Workbench& bench, Stage stage, const StageSpace& space, const Defaults& host,
                         Strategy& strategy, Meter& meter, std::size_t to_come,
                         std::span<const PipelineConfig> comes_next = {});

}  // namespace moetune
