// The options that say how a search space is searched.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "search/tune.h"

namespace CLI {
class App;
}

namespace moetune {

/// --strategy, --budget, --effort, --warm-start
struct SearchOptions {
  std::string strategy = TuneOptions{}.strategy, effort = std::string(kNormalEffort.name), budget;
  std::vector<std::string> warm_start;

  void add_to(CLI::App& app);
  /// Of the whole run, where one was given. Throws Error.
  std::optional<Budget> run_budget() const;
  /// Sets what the other three say, and reads the files. Throws Error.
  void apply_to(TuneOptions& options) const;
};

}  // namespace moetune
