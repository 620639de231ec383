#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/problem_options.h"
#include "cli/run_options.h"
#include "measure/trial.h"

namespace moetune {

/// What a command line of `bench` asks for. A struct of its own so that a test can read repro command lines back.
struct BenchOptions {
  ProblemOptions problems;
  ImplOptions impls;
  DeviceOptions device;
  StageConfigOptions configs;
  TimingFlags timing;
  std::string fill = "random";
  std::string journal;
  std::vector<std::string> best_files;
  bool stages = false;
  bool quiet = false;

  void add_to(CLI::App& app);

  /// A pipeline to time. `given` may leave stages out: they get their engine's first guess.
  struct Job {
    Problem problem;
    Impl impl = Impl::merged;
    std::map<Stage, StageConfig> given;
    DataSpec data;
    TimingOptions timing;

    bool operator==(const Job&) const = default;
  };
  /// Throws Error.
  std::vector<Job> jobs() const;
};

}  // namespace moetune
