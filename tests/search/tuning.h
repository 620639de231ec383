#pragma once

#include <functional>
#include <string>
#include <vector>

#include "measure/small_problem.h"
#include "search/stage_space.h"
#include "search/tune.h"

namespace moetune {

/// Keeps all that happens.
struct Recorder : TuneEvents {
  void on_plan(const Problem&, const TunePlan& made) override { plan = made; }
  void on_trial(const Trial& trial) override { trials.push_back(trial); }
  void on_progress(const TuneProgress& step) override { progress.push_back(step); }
  void on_failure(const Problem&, Impl impl, const std::string& reason) override { failures[impl] = reason; }
  bool should_stop() override { return stop && stop(); }

  TunePlan plan;
  std::vector<Trial> trials;
  std::vector<TuneProgress> progress;
  std::map<Impl, std::string> failures;
  std::function<bool()> stop;

  std::size_t count(Trial::Phase phase, std::optional<Stage> stage) const {
    std::size_t n = 0;
    for (const Trial& trial : trials) n += trial.phase == phase && trial.stage == stage;
    return n;
  }
};

/// Compiles kernels, so that it can beside other work.
class CompilingDevice : public FakeDevice {
 public:
  using FakeDevice::FakeDevice;
  std::vector<KernelSource> kernels(const Problem&, std::span<const std::pair<Stage, StageConfig>>) const override {
    return {{.path = "kernel.cu", .defines = {}}};
  }
};

/// Options for the fake device, in its simulated time.
inline TuneOptions fake_options(FakeDevice& device) {
  return {.budget = Budget{.kind = Budget::Kind::share, .value = 1.5},
          .engines = {&fake_engine()},
          .spaces = {{"fake", fake_search_space()}},
          .clock = [&device] { return device.seconds(); },
          .rest = [&device](double seconds) { device.rest(seconds); }};
}

/// The space of the fake engine for `stage`.
inline StageSpace fake_stage_space(Stage stage) {
  const FakeDevice device({.time_us = small_bowl()});
  return make_stage_space(small_problem(), stage, device.info(),
                          {{.engine = &fake_engine(), .space = fake_search_space()}});
}

}  // namespace moetune
