// What a tuning has recorded so far, for going on with it.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "results/journal.h"

namespace moetune {

/// What is known of one problem.
struct ProblemPast {
  std::vector<Trial> trials;
  std::vector<Recorded<Best>> bests;  ///< where done; `run` counts in Past::journal
  std::optional<Done> done;
  std::optional<Transfers> transfers;  ///< the last that were measured
};

/// The last tuning in a journal.
struct Past {
  TuningKey tuning;
  Journal journal;  ///< of this tuning alone

  ProblemPast of(const Problem& problem) const;
  /// Seconds that its problems have taken, those not done included.
  double seconds() const;
  std::size_t trials() const { return journal.trials.size(); }
};

/// The last tuning that the journal `path` holds; nothing where there is none, or no journal. Throws Error where it was
/// begun with other `options`: it names each that differs, with both values.
std::optional<Past> read_past(const std::filesystem::path& path, const std::map<std::string, std::string>& options);

}  // namespace moetune
