#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "backend/device.h"
#include "measure/statistics.h"

namespace moetune {

/// What a device's clock was between the samples of one candidate.
class ClockReadings {
 public:
  /// Of a visit whose samples are kept.
  void add(const ClockState& state) {
    if (state.sm_mhz > 0) sm_mhz_.push_back(state.sm_mhz);
    slowed_by_.insert(state.slowed_by.begin(), state.slowed_by.end());
    slow_visits_ += is_slow(state);
  }
  /// Whether the clock is far below the best there was for the same candidate: other candidates draw other clocks. At
  /// the power limit it is as it should be under lasting load, which rests before a visit would only hide: of 15
  /// pipelines on an H200 that draw 1400 of its 1980 MHz, some had 4 visits and others 22 in the same time.
  bool is_slow(const ClockState& state) const {
    constexpr double kSlow = 0.75;
    if (state.slowed_by == std::vector<std::string>{ClockState::kPowerLimit}) return false;
    return !sm_mhz_.empty() && state.sm_mhz > 0 &&
           state.sm_mhz < kSlow * *std::max_element(sm_mhz_.begin(), sm_mhz_.end());
  }
  /// Sets `sm_clock_mhz`, `slowed_by` and `slow_visits`.
  void complete(Summary& summary) const {
    summary.slow_visits = slow_visits_;
    if (!sm_mhz_.empty()) summary.sm_clock_mhz = median(sm_mhz_);
    summary.slowed_by.assign(slowed_by_.begin(), slowed_by_.end());
  }

 private:
  std::vector<double> sm_mhz_;
  std::set<std::string> slowed_by_;
  int slow_visits_ = 0;
};

}  // namespace moetune
