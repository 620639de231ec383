// Configs that `compare --run --by-turns` measures in this process.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/device.h"
#include "cli/paired_runs.h"
#include "measure/trial.h"
#include "search/tune.h"

namespace moetune {

/// One side of a comparison as configs to measure.
struct ConfigSide {
  std::vector<Best> rows;         ///< of each the problem and the config
  std::filesystem::path journal;  ///< that each run is appended to
};

/// All configs of a problem, those of both sides, are built, verified and then sampled by turns on the same inputs, at
/// the clocks that all of them together draw. The r-th rounds of each draw of the routing are the r-th run, of both
/// sides. A config that both sides have is built twice.
class RunsByTurns final : public PairedRuns {
 public:
  /// `options` say how is measured; `command` is what the journals' headers say.
  RunsByTurns(ConfigSide base, ConfigSide head, Device& device, TuneOptions options, std::vector<std::string> command,
              Log log);

  /// Throws Error where a problem does not fit the device.
  void add_pairs(int pairs, const IsWanted& is_wanted) override;

 private:
  struct Measured;

  std::vector<Problem> problems(const IsWanted& is_wanted) const;
  /// Nothing where the user interrupts.
  std::optional<Measured> measure(const Problem& problem, int pairs);
  void write(std::span<const Measured> problems, const ConfigSide& side) const;

  ConfigSide base_, head_;
  Device& device_;
  TuneOptions options_;
  std::vector<std::string> command_;
  Log log_;
};

}  // namespace moetune
