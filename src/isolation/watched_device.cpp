#include "isolation/watched_device.h"

#include <algorithm>

#include "problem/work.h"

namespace moetune {
namespace {

/// What all watched objects of a device share.
struct Watched {
  Device& device;
  Ceilings ceilings;
  Patience patience;
  Watch& watch;

  double run_seconds(const Problem& problem, int runs) const {
    const Work work = pipeline_work(problem, most_load(problem));
    return patience.seconds + patience.times_roofline * 1e-6 * roofline_us(work, ceilings) * runs;
  }

  template <class Call>
  auto call(const PipelineConfig& config, double seconds, const Call& of_device) const -> decltype(of_device()) {
    watch.begin(config, seconds);
    auto result = of_device();
    if (!result && device.is_lost()) watch.lost(config, result.failure());
    watch.end();
    return result;
  }
};

class WatchedPipeline final : public Pipeline {
 public:
  WatchedPipeline(const Watched& watched, const Problem& problem, PipelineConfig config,
                  std::unique_ptr<Pipeline> pipeline)
      : watched_(watched), problem_(problem), config_(std::move(config)), pipeline_(std::move(pipeline)) {}

  Result<OutputScan> run() override {
    return watched_.call(config_, seconds(1), [&] { return pipeline_->run(); });
  }
  std::vector<float> read_rows(std::span<const std::int64_t> tokens) override { return pipeline_->read_rows(tokens); }
  Result<std::vector<double>> time(int n, const TimingOptions& options) override {
    return watched_.call(config_, seconds(n), [&] { return pipeline_->time(n, options); });
  }
  Result<std::vector<double>> time_stages(StageRange stages, int n, const TimingOptions& options) override {
    return watched_.call(config_, seconds(n), [&] { return pipeline_->time_stages(stages, n, options); });
  }

 private:
  double seconds(int runs) const { return watched_.run_seconds(problem_, runs); }

  const Watched& watched_;
  const Problem& problem_;
  PipelineConfig config_;
  std::unique_ptr<Pipeline> pipeline_;
};

class WatchedWorkload final : public Workload {
 public:
  WatchedWorkload(const Watched& watched, std::unique_ptr<Workload> workload)
      : watched_(watched), workload_(std::move(workload)) {}

  const Problem& problem() const override { return workload_->problem(); }
  const DataSpec& data() const override { return workload_->data(); }
  const Routing& routing() const override { return workload_->routing(); }
  void refill(const DataSpec& data) override { workload_->refill(data); }
  void reroute(int draw) override { workload_->reroute(draw); }

  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) override {
    const double seconds = watched_.patience.seconds + watched_.patience.build_seconds;
    auto built = watched_.call(config, seconds, [&] { return workload_->build(config); });
    if (!built) return built;
    return std::unique_ptr<Pipeline>(
        std::make_unique<WatchedPipeline>(watched_, problem(), config, std::move(built.value())));
  }

 private:
  const Watched& watched_;
  std::unique_ptr<Workload> workload_;
};

class WatchedDevice final : public Device {
 public:
  explicit WatchedDevice(const Watched& watched) : watched_(watched) {}

  const DeviceInfo& info() const override { return device().info(); }
  double settle_seconds() const override { return device().settle_seconds(); }
  void read_memory(double seconds) override { device().read_memory(seconds); }
  ClockState clock() const override { return device().clock(); }
  Ceilings measure_ceilings() override { return device().measure_ceilings(); }
  std::vector<KernelSource> kernels(const Problem& problem,
                                    std::span<const std::pair<Stage, StageConfig>> configs) const override {
    return device().kernels(problem, configs);
  }
  void prepare(const Problem& problem, std::span<const std::pair<Stage, StageConfig>> configs,
               const std::function<void()>& done) override {
    device().prepare(problem, configs, done);
  }
  std::int64_t bytes_needed(const Problem& problem) const override { return device().bytes_needed(problem); }
  std::unique_ptr<Workload> load(const Problem& problem, const DataSpec& data) override {
    return std::make_unique<WatchedWorkload>(watched_, device().load(problem, data));
  }
  bool is_lost() const override { return device().is_lost(); }

 private:
  Device& device() const { return watched_.device; }

  Watched watched_;
};

}  // namespace

std::unique_ptr<Device> watch_device(Device& device, const Ceilings& ceilings, const Patience& patience, Watch& watch) {
  return std::make_unique<WatchedDevice>(
      Watched{.device = device, .ceilings = ceilings, .patience = patience, .watch = watch});
}

}  // namespace moetune
