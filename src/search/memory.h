#pragma once

#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "measure/trial.h"

namespace moetune {

/// The trials of one problem that were recorded before, asked before anything is built or measured. A search depends on
/// nothing but its options and what it observes: begun anew with its own trials as memory it comes to where they end at
/// no cost, and goes on from there.
class Memory {
 public:
  Memory() = default;
  /// Of several trials of the same the last counts. What an interruption ended is left out: it has to be done again.
  explicit Memory(std::span<const Trial> trials);

  /// The trial with `asked`'s phase, stage, rung, config, data and timing. Null where there is none.
  const Trial* find(const Trial& asked) const;

 private:
  using Key = std::tuple<Trial::Phase, std::optional<Stage>, int, PipelineConfig, Fill, std::uint64_t, CacheState,
                         LaunchMode, LoadState, int>;
  static Key key_of(const Trial& trial);

  std::map<Key, Trial> trials_;
};

}  // namespace moetune
