#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/device.h"

namespace moetune {

/// µs that a stage takes with a config, which is empty for stages that are not tunable. Nothing: the config is not
/// known, and building it fails as `invalid`.
using TimeModel = std::function<std::optional<double>(Stage stage, const StageConfig& config)>;

/// `best_us` at `optimum`, and `slope` more of it for each step of two on an axis away from it; 5 µs for stages that
/// are not tunable.
TimeModel bowl(std::map<Stage, Config> optimum, double best_us = 100, double slope = 0.15);
/// A recorded space.
TimeModel recording(std::map<std::pair<Stage, StageConfig>, double> times_us);

/// What a config can be planted with.
enum class Fault {
  compile_error,
  out_of_memory,
  launch_error,
  timeout,
  wrong_result,  ///< one element of the output is off
  nan_output,
  unwritten,            ///< one element is never stored
  unrepeatable,         ///< the output differs from run to run
  wrong_on_other_data,  ///< right until the workload is refilled
  nan_time,
  sticky_fault,  ///< fails when run, as does everything on the device ever after
};

struct FakeSpec {
  TimeModel time_us;
  std::function<TimeModel(const Problem&)> time_us_of = nullptr;  ///< instead, where the times depend on the problem
  std::map<std::pair<Stage, StageConfig>, Fault> faults;
  std::function<double(const PipelineConfig&)> overlap_us = nullptr;  ///< by so much a pipeline beats its stages' sum
  double noise = 0;                                                   ///< relative standard deviation of a sample
  double routing_spread = 0;  ///< … and of what a draw of the routing does to a config of a stage, but the first draw
  double drift_per_s = 0;     ///< all times grow by this share in a second of simulated time
  double compile_s = 0.03;    ///< simulated, for each config of each stage once
  double throttle = 0;        ///< under lasting load all times are longer by this share …
  double settle_s = 0;  ///< … which comes evenly over so many seconds of samples, and goes so when there are none;
  std::function<double(const PipelineConfig&)> power = nullptr;  ///< a pipeline by itself gets to this times `throttle`
  bool tells_clock = false;  ///< what `throttle` makes of the clock, and that a power limit is why
  std::uint64_t seed = 1;    ///< of the noise
  std::int64_t memory_bytes = std::int64_t{1} << 30;
};

/// A device in simulated time: its pipelines return correct output, really computed, unless they are planted with a
/// fault; the times are the model's. The same calls give the same answers. Not thread-safe.
class FakeDevice : public Device {
 public:
  explicit FakeDevice(FakeSpec spec);
  ~FakeDevice() override;

  const DeviceInfo& info() const override;
  double settle_seconds() const override;
  void read_memory(double seconds) override;  ///< as a rest
  ClockState clock() const override;
  Ceilings measure_ceilings() override;
  std::vector<KernelSource> kernels(const Problem& problem,
                                    std::span<const std::pair<Stage, StageConfig>> configs) const override;
  void prepare(const Problem& problem, std::span<const std::pair<Stage, StageConfig>> configs,
               const std::function<void()>& done) override;
  std::int64_t bytes_needed(const Problem& problem) const override;
  std::unique_ptr<Workload> load(const Problem& problem, const DataSpec& data) override;
  bool is_lost() const override;

  /// Simulated seconds since the start.
  double seconds() const;
  /// Lets simulated time pass with nothing running.
  void rest(double seconds);

  /// Runs of pipelines that were not for their time.
  std::uint64_t runs() const;

  /// A call for samples, as it came.
  struct Visit {
    PipelineConfig config;
    std::optional<Stage> stage;  ///< empty: the whole pipeline
    int samples = 0;
    std::uint64_t data_seed = 0;
    double start_s = 0, end_s = 0;  ///< in simulated time; what lies between two visits is no load
  };
  const std::vector<Visit>& visits() const;

  struct State;  // shared with workloads and pipelines

 private:
  std::unique_ptr<State> state_;
};

}  // namespace moetune
