#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/kernel_source.h"
#include "problem/device_info.h"
#include "space/config.h"

namespace moetune {

/// Rows per expert, both ends included.
struct RowRange {
  double from = 0, to = 1e9;
};

/// A way to compute the tunable stages: a row of the engine table.
struct Engine {
  std::string_view name;  ///< "wgmma", "mma", "cpu"
  Backend backend;
  std::string_view summary;                      ///< one line for `list`
  std::span<const std::string_view> parameters;  ///< config keys, in order
  /// Those that came later, with what configs from before did that leave them out.
  std::span<const std::pair<std::string_view, int>> later_parameters = {};
  /// Values with which the same inputs give other bits from run to run; in no search space unless asked for.
  std::span<const std::pair<std::string_view, int>> unrepeatable_values = {};

  /// Why `config` cannot compute `stage` of `problem` on `device`; nothing where it can. The one authority on legality.
  std::optional<std::string> (*why_invalid)(const Config& config, Stage stage, const Problem& problem,
                                            const DeviceInfo& device);

  /// Configs worth trying first, best guess first, all legal and different, at least one wherever the engine can run
  /// the problem at all.
  std::vector<Config> (*first_configs)(Stage stage, const Problem& problem, const DeviceInfo& device);

  /// CUDA engines: the kernel of a config that why_invalid accepts. `token_tiles`: each slot is a tile of its own and
  /// no routing has run. Null for the others.
  KernelPlan (*kernel_plan)(const Config& config, Stage stage, const Problem& problem, bool token_tiles) = nullptr;

  int oldest_capability = 0, newest_capability = 9999;  ///< compute capabilities that CUDA engines run on
  RowRange best_rows{};                                 ///< where it is likely the fastest of those that run
};

/// Blocks of the kernel that a multiprocessor has at once; persistent ones as many as are meant to, others about as
/// many as shared memory, registers and threads leave room for.
int resident_blocks(const KernelPlan& plan, const DeviceInfo& device);

/// Whether the engine runs on the device at all. Which problems and configs, why_invalid says.
bool runs_on(const Engine& engine, const DeviceInfo& device);

/// Those that run on the device.
std::vector<const Engine*> engines_on(const DeviceInfo& device);

/// Whether `a` is likelier than `b` to be the fastest for the problem: its best_rows are nearer to the rows that an
/// expert has on average. For std::stable_sort.
bool is_likelier(const Engine& a, const Engine& b, const Problem& problem);

/// Whether the same inputs have to give the same bits in every run: no stage has one of its engine's
/// unrepeatable_values.
bool is_repeatable(const PipelineConfig& config);

/// Those of `configs` that `is_legal` accepts, each once, in order: what first_configs() returns.
std::vector<Config> legal_and_different(std::vector<Config> configs,
                                        const std::function<bool(const Config&)>& is_legal);

/// What a config's names have too much or too little of an engine's parameters; nothing where they agree.
std::optional<std::string> why_parameters_differ(std::string_view engine, std::span<const std::string_view> parameters,
                                                 const Config& config);

/// With the engine's later_parameters where they are left out, in the engine's order. For whatever reads configs. Those
/// of unknown engines, or with parameters that the engine does not know, stay as they are.
StageConfig completed(StageConfig config);

/// All engines.
std::span<const Engine> engines();
/// Throws Error naming the engines there are.
const Engine& find_engine(std::string_view name);

}  // namespace moetune
