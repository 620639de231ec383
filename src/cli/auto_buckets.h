// What `tune --auto-buckets` makes of what was measured.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/transfer.h"

namespace moetune {

/// The M of one family of problems, for the implementations that are served as one: who takes whose config.
struct FamilyBuckets {
  Problem problem;                    ///< one of them: the others differ in M alone
  std::vector<Impl> impls;            ///< that have best configs
  std::vector<std::int64_t> Ms;       ///< ascending
  bool any_tried = false;             ///< whether some M tried another's config: none does beyond kTransferReach
  std::vector<std::int64_t> servers;  ///< of each M the one whose config it takes: M itself where it keeps its own
  std::optional<Transfer> worst;      ///< of those that take another's, the one that loses most

  /// Whether it is about this problem and implementation.
  bool has(const Problem& other, Impl impl) const;
  /// Whether M keeps a config of its own.
  bool keeps(std::int64_t M) const;
};

/// Chooses for each family which M keep their configs, where the others may lose `margin`, a share. What was not
/// measured, or has no regret, is not served.
std::vector<FamilyBuckets> choose_family_buckets(std::span<const Best> bests, std::span<const Transfers> measured,
                                                 double margin);

/// How `best` does at the M where that was measured, for Best::bucket_transfer; ascending.
std::vector<Transfer> transfers_of(const Best& best, const FamilyBuckets& family, std::span<const Transfers> measured);

/// "merged: 2 of 5 M have a config of their own: 1, 16; the others lose at most 0.8 % with their neighbour's (M=24 with
/// M=16's)". `name_family`: with its sizes before it.
std::string to_line(const FamilyBuckets& family, double margin, bool name_family);

/// What is to be measured beforehand, at most.
struct TransferPlan {
  std::size_t problems = 0, trials = 0;
  double likely_seconds = 0;  ///< of one device
};
TransferPlan plan_transfers(std::span<const Problem> problems, std::span<const Impl> impls, const Ceilings& ceilings);
/// "for --auto-buckets, 18 of them again with the configs of their neighbours: at most 240 trials, about 20 s"; empty
/// where there is nothing to measure.
std::string to_string(const TransferPlan& plan, std::size_t devices);

}  // namespace moetune
