#pragma once

#include "search/replay.h"
#include "search/tuning.h"

namespace moetune {

/// What an exhaustive run of the fake engine's space would record: `model` exactly, with an interval of ±`half_width`,
/// 1 s of compiling and 0.25 s of measuring each.
inline RecordedSpace record_fake_space(Stage stage, const TimeModel& model = small_bowl(), double half_width = 0.01) {
  const FakeDevice device({.time_us = model});
  RecordedSpace recorded{.problem = small_problem(), .stage = stage, .timing = {}, .device = device.info()};
  for (const StageConfig& config : fake_stage_space(stage).configs) {
    RecordedTrial trial{.outcome = Outcome::invalid, .reason = "not known", .compile_s = 1, .measure_s = 0.25};
    if (const std::optional<double> us = model(stage, config)) {
      trial.outcome = Outcome::ok;
      trial.reason.clear();
      trial.median_us = *us;
      trial.ci_low_us = *us * (1 - half_width);
      trial.ci_high_us = *us * (1 + half_width);
      trial.n = 20;
    }
    recorded.entries.push_back({.config = config, .trials = {std::move(trial)}});
  }
  return recorded;
}

inline ReplaySpace fake_replay_space(Stage stage, const TimeModel& model = small_bowl(), double half_width = 0.01) {
  return {record_fake_space(stage, model, half_width), {&fake_engine(), 1}};
}

}  // namespace moetune
