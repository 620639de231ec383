#include "planted/planted_device.h"

#include <unistd.h>

#include <csignal>
#include <new>
#include <thread>

namespace moetune {
namespace {

struct Plan {
  Planted planted;
  std::function<void()> break_device;

  void strike(const PipelineConfig& config) const {
    if (planted.pace.count() > 0) std::this_thread::sleep_for(planted.pace);
    for (const auto& stage_config : config.stages) {
      const auto found = planted.calamities.find(stage_config);
      if (found == planted.calamities.end()) continue;
      switch (found->second) {
        case Calamity::crash:
          std::signal(SIGSEGV, SIG_DFL);  // the sanitizers' handler would end the process in its own way
          std::raise(SIGSEGV);
          break;
        case Calamity::hang:
          while (true) pause();
        case Calamity::exhaust_memory:
          throw std::bad_alloc();
        case Calamity::break_device:
          break_device();
          break;
      }
    }
  }
};

class PlantedPipeline final : public Pipeline {
 public:
  PlantedPipeline(const Plan& plan, PipelineConfig config, std::unique_ptr<Pipeline> pipeline)
      : plan_(plan), config_(std::move(config)), pipeline_(std::move(pipeline)) {}

  Result<OutputScan> run() override {
    plan_.strike(config_);
    return pipeline_->run();
  }
  std::vector<float> read_rows(std::span<const std::int64_t> tokens) override { return pipeline_->read_rows(tokens); }
  Result<std::vector<double>> time(int n, const TimingOptions& options) override { return pipeline_->time(n, options); }
  Result<std::vector<double>> time_stages(StageRange stages, int n, const TimingOptions& options) override {
    return pipeline_->time_stages(stages, n, options);
  }

 private:
  const Plan& plan_;
  PipelineConfig config_;
  std::unique_ptr<Pipeline> pipeline_;
};

class PlantedWorkload final : public Workload {
 public:
  PlantedWorkload(const Plan& plan, std::unique_ptr<Workload> workload) : plan_(plan), workload_(std::move(workload)) {}

  const Problem& problem() const override { return workload_->problem(); }
  const DataSpec& data() const override { return workload_->data(); }
  const Routing& routing() const override { return workload_->routing(); }
  void refill(const DataSpec& data) override { workload_->refill(data); }
  void reroute(int draw) override { workload_->reroute(draw); }
  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) override {
    auto built = workload_->build(config);
    if (!built) return built;
    return std::unique_ptr<Pipeline>(std::make_unique<PlantedPipeline>(plan_, config, std::move(built.value())));
  }

 private:
  const Plan& plan_;
  std::unique_ptr<Workload> workload_;
};

class PlantedDevice final : public Device {
 public:
  PlantedDevice(std::unique_ptr<Device> device, Plan plan) : device_(std::move(device)), plan_(std::move(plan)) {}

  const DeviceInfo& info() const override { return device_->info(); }
  double settle_seconds() const override { return device_->settle_seconds(); }
  void read_memory(double seconds) override { device_->read_memory(seconds); }
  Ceilings measure_ceilings() override { return device_->measure_ceilings(); }
  std::vector<KernelSource> kernels(const Problem& problem,
                                    std::span<const std::pair<Stage, StageConfig>> configs) const override {
    return device_->kernels(problem, configs);
  }
  void prepare(const Problem& problem, std::span<const std::pair<Stage, StageConfig>> configs,
               const std::function<void()>& done) override {
    device_->prepare(problem, configs, done);
  }
  std::int64_t bytes_needed(const Problem& problem) const override { return device_->bytes_needed(problem); }
  std::unique_ptr<Workload> load(const Problem& problem, const DataSpec& data) override {
    return std::make_unique<PlantedWorkload>(plan_, device_->load(problem, data));
  }
  bool is_lost() const override { return device_->is_lost(); }

 private:
  std::unique_ptr<Device> device_;
  Plan plan_;
};

}  // namespace

std::unique_ptr<Device> plant(std::unique_ptr<Device> device, Planted planted, std::function<void()> break_device) {
  return std::make_unique<PlantedDevice>(std::move(device), Plan{std::move(planted), std::move(break_device)});
}

}  // namespace moetune
