#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "base/outcome.h"
#include "kernel/engine.h"
#include "search/stage_space.h"

namespace moetune {

/// What came of measuring a config once.
struct RecordedTrial {
  int rung = 0;  ///< see Proposal::rung
  Outcome outcome = Outcome::skipped;
  std::string reason;                                   ///< empty where ok
  double median_us = 0, ci_low_us = 0, ci_high_us = 0;  ///< where ok: the median with its 95 % interval
  int n = 0;                                            ///< where ok: of so many samples
  double compile_s = 0;                                 ///< its share of the time that compiling ahead took
  double measure_s = 0;                                 ///< building, verifying and sampling

  bool operator==(const RecordedTrial&) const = default;
};

/// What a strategy needs to search a stage's space without the device: what each config measured like.
struct RecordedSpace {
  struct Entry {
    StageConfig config;
    std::vector<RecordedTrial> trials;  ///< at least one; by rung, from 0

    bool operator==(const Entry&) const = default;
  };

  Problem problem;
  Stage stage = Stage::gate;
  TimingOptions timing;
  DeviceInfo device;
  Ceilings ceilings;
  int compilers = 1;           ///< that ran at a time: the host's threads
  std::vector<Entry> entries;  ///< each config once

  bool operator==(const RecordedSpace&) const = default;
};

/// The space as strategies see it: the axes are the values that occur, legal is what was recorded. Throws Error where a
/// config is of none of `engines`, or lacks a parameter.
StageSpace stage_space_of(const RecordedSpace& recorded, std::span<const Engine> engines);

/// Legal configs with the values that occur, those not recorded included: where there are more than entries, the
/// recording is of a part of the space.
std::size_t legal_configs(const RecordedSpace& recorded, std::span<const Engine> engines);

}  // namespace moetune
