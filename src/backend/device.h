#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/outcome.h"
#include "data/inputs.h"
#include "jit/program_compiler.h"
#include "kernel/kernel_source.h"
#include "problem/device_info.h"
#include "problem/problem.h"
#include "reference/reference.h"
#include "space/config.h"

namespace moetune {

enum class CacheState { cold, warm };

/// How the kernels of a pipeline reach a GPU: as one graph, which costs the host next to nothing; one by one, each
/// waiting in the stream behind the one before it; or one by one on an idle device, so that a sample holds what
/// launching costs.
enum class LaunchMode { graph, stream, eager };
inline constexpr std::array kLaunchModes{LaunchMode::graph, LaunchMode::stream, LaunchMode::eager};

/// After what the times are taken that are reported: the pipeline's own load, so long that the clocks are those that
/// last; or reading memory, which meets no power limit, and a few replays of the pipeline.
enum class LoadState { lasting, replays };
inline constexpr std::array kLoadStates{LoadState::lasting, LoadState::replays};

struct TimingOptions {
  CacheState cache = CacheState::cold;    ///< cold: before every sample what it touches leaves the caches
  LaunchMode launch = LaunchMode::graph;  ///< ignored by the CPU
  LoadState load = LoadState::lasting;    ///< for whoever calls a timer: timers ignore it

  int routing_draws = 1;  ///< of a random routing: the rounds of a sample go through them by turns

  bool operator==(const TimingOptions&) const = default;
};

/// An implementation with its configs, built and ready to run on the inputs of its workload. The workload outlives it.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  /// Poisons every intermediate and the output, runs once, and waits. A device that fails here (fault, refused launch)
  /// says so in the result.
  virtual Result<OutputScan> run() = 0;

  /// Rows of the last run's output, widened to float: [tokens.size(), N2].
  virtual std::vector<float> read_rows(std::span<const std::int64_t> tokens) = 0;

  /// Whether the same inputs give the same bits in every run.
  virtual bool is_repeatable() const { return true; }

  /// `n` samples of the whole pipeline, in µs, on inputs and intermediates that a run() has left in place.
  virtual Result<std::vector<double>> time(int n, const TimingOptions& options) = 0;

  /// The same for some stages of the implementation alone.
  virtual Result<std::vector<double>> time_stages(StageRange stages, int n, const TimingOptions& options) = 0;
  Result<std::vector<double>> time_stage(Stage stage, int n, const TimingOptions& options) {
    return time_stages(only(stage), n, options);
  }
};

/// A problem's inputs, resident on a device.
class Workload {
 public:
  virtual ~Workload() = default;

  virtual const Problem& problem() const = 0;
  virtual const DataSpec& data() const = 0;
  virtual const Routing& routing() const = 0;

  /// Fills the same buffers anew, with fresh values and a fresh routing. Pipelines built before stay valid.
  virtual void refill(const DataSpec& data) = 0;

  /// Another draw of the data's routing (make_routing); refill() comes with draw 0. Values and pipelines stay. Before a
  /// stage is timed alone its pipeline has to run.
  virtual void reroute(int draw) = 0;

  /// Builds a pipeline, or says why not. Safe to call while nothing else uses the device.
  virtual Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) = 0;
};

/// At what clock a device runs, and why not at a higher one.
struct ClockState {
  static constexpr const char* kPowerLimit = "power limit";

  double sm_mhz = 0;                   ///< of a GPU's multiprocessors; 0 where it is not known
  std::vector<std::string> slowed_by;  ///< kPowerLimit, "temperature", …

  bool operator==(const ClockState&) const = default;
};

/// A place where pipelines run.
class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceInfo& info() const = 0;

  /// Seconds of load after which the device runs at the clocks that it keeps while the load lasts; 0 where a rest
  /// before it makes no difference.
  virtual double settle_seconds() const = 0;

  /// Reads memory for about so many seconds and does nothing else: the clocks are up, and no power limit is met. Does
  /// nothing where a rest makes no difference either.
  virtual void read_memory(double /*seconds*/) {}

  /// Read between samples; takes µs.
  virtual ClockState clock() const { return {}; }

  /// Measures streaming read bandwidth and the matrix rate; takes about a second.
  virtual Ceilings measure_ceilings() = 0;

  /// The kernels that a pipeline of these stage configs has compiled for this problem, each once; none where they are
  /// part of the binary. Problems that share them need them compiled once.
  virtual std::vector<KernelSource> kernels(const Problem& problem,
                                            std::span<const std::pair<Stage, StageConfig>> configs) const = 0;

  /// Compiles the kernels of these stage configs ahead of time, with as many threads as the host has, so that build()
  /// finds them ready. What fails here fails again, with its reason, in build(). `done` is called after each, from any
  /// thread. A device that has kernels() to compile does so beside whatever else it is asked for.
  virtual void prepare(const Problem& problem, std::span<const std::pair<Stage, StageConfig>> configs,
                       const std::function<void()>& done) = 0;

  /// Bytes that `load` and the largest pipeline of the problem need.
  virtual std::int64_t bytes_needed(const Problem& problem) const = 0;

  /// Makes the inputs on the device. Throws Error saying how much is needed and how much there is, before allocating.
  virtual std::unique_ptr<Workload> load(const Problem& problem, const DataSpec& data) = 0;

  /// Whether a fault has taken the device away from this process: whatever it is asked for from then on fails.
  virtual bool is_lost() const { return false; }
};

/// "auto", "cpu", "cuda:N". auto is the first GPU that can be used, else the CPU. Throws Error (exit code no_device
/// where a GPU was asked for and there is none) saying what is missing and how to get it. `compiler` is for those that
/// compile kernels.
std::unique_ptr<Device> open_device(std::string_view id, std::shared_ptr<ProgramCompiler> compiler = compile_here());

}  // namespace moetune
