#pragma once

#include <set>
#include <string>
#include <vector>

#include "backend/device.h"
#include "measure/statistics.h"

namespace moetune {

/// What a device's clock was between the samples of one candidate.
class ClockReadings {
 public:
  void add(const ClockState& state) {
    if (state.sm_mhz > 0) sm_mhz_.push_back(state.sm_mhz);
    slowed_by_.insert(state.slowed_by.begin(), state.slowed_by.end());
  }
  /// Sets `sm_clock_mhz` and `slowed_by`.
  void complete(Summary& summary) const {
    if (!sm_mhz_.empty()) summary.sm_clock_mhz = median(sm_mhz_);
    summary.slowed_by.assign(slowed_by_.begin(), slowed_by_.end());
  }

 private:
  std::vector<double> sm_mhz_;
  std::set<std::string> slowed_by_;
};

}  // namespace moetune
