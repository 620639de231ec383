// What `compare --run` measures with.
#pragma once

#include <functional>
#include <string_view>

#include "problem/problem.h"

namespace moetune {

/// Pairs of runs, one of base and one of head, each of which the journal of its side gets.
class PairedRuns {
 public:
  using Log = std::function<void(std::string_view line)>;
  using IsWanted = std::function<bool(const Problem&)>;

  PairedRuns() = default;
  virtual ~PairedRuns() = default;
  PairedRuns(const PairedRuns&) = delete;
  PairedRuns& operator=(const PairedRuns&) = delete;

  /// Measures the problems that `is_wanted` in so many more pairs. Ends early where a run gave wrong results, and where
  /// the user interrupts. Throws Error where nothing could be measured.
  virtual void add_pairs(int pairs, const IsWanted& is_wanted) = 0;

  int pairs() const { return pairs_; }

 protected:
  int pairs_ = 0;
};

}  // namespace moetune
