// Bucket transfer: what a tuned config is worth at the M around its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/tune.h"

namespace moetune {

/// The configs of M further apart than this, in ratio, are not tried at each other: that one of them serves the other
/// is unlikely, and 18 powers of two have 6 neighbours each instead of 17.
inline constexpr std::int64_t kTransferReach = 8;

/// Whether they differ in M at most.
bool is_same_family(const Problem& a, const Problem& b);

/// The implementation that a server asks for to get `impl`: merged_single stands in for merged where it is the faster,
/// as libmoetune has it. These two have their buckets in common, all others have their own.
Impl served_as(Impl impl);

/// The best config that was found for an M.
struct Winner {
  std::int64_t M = 1;
  PipelineConfig config;

  bool operator==(const Winner&) const = default;
};

/// What to measure at `problem`, of all that was found: its own winners, and for each of them those of the other M of
/// the family within reach and all that have one of these configs too, in ascending M. Of implementations that are
/// served as one, each M has the faster one's. Empty where no other M is within reach.
std::vector<Winner> winners_near(const Problem& problem, std::span<const Best> bests);

/// How long measure_transfers() is likely to take for so many configs.
double likely_transfer_seconds(const Problem& problem, std::size_t configs, const Ceilings& ceilings);

/// Builds, verifies and samples `winners`, its own of each implementation among them, at `problem`: in common rounds,
/// by the rule of the finals, with the data and the draws of the routing that its reported times are of. Each distinct
/// config is a trial, which `events` gets. A config that fails costs its own entries, one that is in options.recorded
/// as failed is not tried again.
///
/// Returns an entry for each winner but the problem's own; nothing where should_stop() ended it. Throws Error where the
/// problem does not fit the device.
std::vector<Transfer> measure_transfers(Device& device, const Problem& problem, std::span<const Winner> winners,
                                        const TuneOptions& options, TuneEvents& events);

}  // namespace moetune
