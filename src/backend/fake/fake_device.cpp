#include "backend/fake/fake_device.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "backend/fake/fake_engine.h"
#include "backend/fake/naive_mlp.h"
#include "base/error.h"
#include "data/fill.h"
#include "kernels/lib/fill.h"

namespace moetune {

struct FakeDevice::State {
  FakeSpec spec;
  DeviceInfo info;
  std::set<std::pair<Stage, StageConfig>> compiled;
  std::vector<Visit> visits;
  double now_s = 0;
  double load_s = 0;  // of samples without a rest, up to settle_s times the power of what runs
  std::uint64_t samples_drawn = 0;
  std::uint64_t runs = 0;
  bool is_lost = false;

  void compile(Stage stage, const StageConfig& config) {
    if (compiled.emplace(stage, config).second) rest(spec.compile_s);
  }

  void rest(double seconds) {
    now_s += seconds;
    load_s = std::max(0.0, load_s - seconds);
  }

  std::optional<Fault> fault_of(Stage stage, const StageConfig& config) const {
    const auto found = spec.faults.find({stage, config});
    if (found == spec.faults.end()) return std::nullopt;
    return found->second;
  }

  bool has_fault(const PipelineConfig& config, Fault fault) const {
    for (const auto& [stage, of_stage] : config.stages)
      if (fault_of(stage, of_stage) == fault) return true;
    return false;
  }

  /// By how much longer everything takes after the load so far.
  double slowdown() const { return spec.settle_s > 0 ? spec.throttle * load_s / spec.settle_s : 0; }

  /// A sample of what takes `us` without noise, of this pipeline or one of its stages.
  double sample(double us, const PipelineConfig& config) {
    const float noise = near_normal(random_bits(mix_bits(spec.seed), ++samples_drawn), 1.0f);
    us *= (1 + spec.drift_per_s * now_s) * std::exp(spec.noise * static_cast<double>(noise));
    us *= 1 + slowdown();
    now_s += us * 1e-6;
    const double limit_s = spec.settle_s * (spec.power ? spec.power(config) : 1);
    load_s = load_s < limit_s ? std::min(limit_s, load_s + us * 1e-6) : std::max(limit_s, load_s - us * 1e-6);
    return us;
  }
};

namespace {

Failure lost() {
  return {.outcome = Outcome::runtime_error, .reason = "the device is lost to an earlier fault"};
}

class FakeWorkload;

class FakePipeline : public Pipeline {
 public:
  FakePipeline(FakeDevice::State& state, FakeWorkload& workload, PipelineConfig config)
      : state_(state), workload_(workload), config_(std::move(config)) {}

  Result<OutputScan> run() override;
  std::vector<float> read_rows(std::span<const std::int64_t> tokens) override;
  Result<std::vector<double>> time(int n, const TimingOptions& options) override;
  Result<std::vector<double>> time_stages(StageRange stages, int n, const TimingOptions& options) override;

 private:
  Result<std::vector<double>> take(std::optional<Stage> stage, double us, int n);
  double model_us(Stage stage) const;
  double model_us(StageRange stages) const {
    double us = 0;
    for (const Stage stage : stages_of(config_.impl))
      if (stages.contains(stage)) us += model_us(stage);
    return us;
  }
  double whole_us() const {
    return model_us(StageRange()) - (state_.spec.overlap_us ? state_.spec.overlap_us(config_) : 0);
  }

  FakeDevice::State& state_;
  FakeWorkload& workload_;
  PipelineConfig config_;
  std::vector<std::uint16_t> output_;
};

class FakeWorkload : public Workload {
 public:
  FakeWorkload(FakeDevice::State& state, const Problem& problem, const DataSpec& data)
      : state_(state),
        problem_(problem),
        data_(data),
        routing_(make_routing(problem, data)),
        time_us_(state.spec.time_us_of ? state.spec.time_us_of(problem) : state.spec.time_us) {}

  const Problem& problem() const override { return problem_; }
  const DataSpec& data() const override { return data_; }
  const Routing& routing() const override { return routing_; }
  bool was_refilled() const { return was_refilled_; }

  void refill(const DataSpec& data) override {
    data_ = data;
    routing_ = make_routing(problem_, data);
    draw_ = 0;
    outputs_.clear();
    was_refilled_ = true;
  }

  void reroute(int draw) override {
    routing_ = make_routing(problem_, data_, draw);
    draw_ = draw;
    outputs_.clear();
  }
  int draw() const { return draw_; }
  std::optional<double> time_us(Stage stage, const StageConfig& config) const { return time_us_(stage, config); }

  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) override {
    for (const Stage stage : tunable_stages_of(config.impl)) {
      const auto found = config.stages.find(stage);
      if (found == config.stages.end() || found->second.engine != fake_engine().name)
        return Failure{.outcome = Outcome::invalid,
                       .reason = fmt::format("{} has no config of engine fake", to_string(stage))};
      if (auto why = fake_engine().why_invalid(found->second.config, stage, problem_, state_.info))
        return Failure{.outcome = Outcome::invalid, .reason = *why};
      if (!time_us_(stage, found->second))
        return Failure{.outcome = Outcome::invalid, .reason = "not in the recording"};
      state_.compile(stage, found->second);
    }
    if (state_.has_fault(config, Fault::compile_error))
      return Failure{.outcome = Outcome::compile_error, .reason = "planted: does not compile"};
    if (state_.has_fault(config, Fault::out_of_memory))
      return Failure{.outcome = Outcome::out_of_memory, .reason = "planted: too much memory"};
    return std::unique_ptr<Pipeline>(std::make_unique<FakePipeline>(state_, *this, config));
  }

  /// What a correct implementation returns on the data there is now.
  const std::vector<std::uint16_t>& correct_output(Impl impl) {
    auto [found, is_new] = outputs_.try_emplace(impl);
    if (is_new) found->second = naive_mlp(problem_, impl, routing_, data_);
    return found->second;
  }

 private:
  FakeDevice::State& state_;
  Problem problem_;
  DataSpec data_;
  Routing routing_;
  TimeModel time_us_;
  int draw_ = 0;
  bool was_refilled_ = false;
  std::map<Impl, std::vector<std::uint16_t>> outputs_;
};

Result<OutputScan> FakePipeline::run() {
  if (state_.is_lost) return lost();
  if (state_.has_fault(config_, Fault::sticky_fault)) {
    state_.is_lost = true;
    return Failure{.outcome = Outcome::runtime_error, .reason = "planted: illegal address"};
  }
  if (state_.has_fault(config_, Fault::launch_error))
    return Failure{.outcome = Outcome::launch_error, .reason = "planted: launch refused"};
  if (state_.has_fault(config_, Fault::timeout))
    return Failure{.outcome = Outcome::timeout, .reason = "planted: hangs"};

  state_.rest(whole_us() * 1e-6);  // a run between poisoning and reading back is no lasting load
  ++state_.runs;
  output_ = workload_.correct_output(config_.impl);
  std::uint16_t& middle = output_[output_.size() / 2];
  const float value = from_bits(workload_.problem().dtype, middle);
  const auto set = [&](float changed) { middle = to_bits(workload_.problem().dtype, changed); };
  if (state_.has_fault(config_, Fault::wrong_result)) set(value + 1);
  if (state_.has_fault(config_, Fault::wrong_on_other_data) && workload_.was_refilled()) set(value + 1);
  if (state_.has_fault(config_, Fault::nan_output)) set(std::numeric_limits<float>::quiet_NaN());
  if (state_.has_fault(config_, Fault::unwritten)) middle = kPoison;
  // The last place, as a race between atomics would.
  if (state_.has_fault(config_, Fault::unrepeatable)) middle = static_cast<std::uint16_t>(middle ^ (state_.runs & 1));

  OutputScan scan;
  for (std::size_t i = 0; i < output_.size(); ++i) {
    scan.hash += mix_bits((i << 16) + output_[i]);
    if (output_[i] == kPoison)
      ++scan.unwritten;
    else
      scan.nonfinite += !std::isfinite(from_bits(workload_.problem().dtype, output_[i]));
  }
  return scan;
}

std::vector<float> FakePipeline::read_rows(std::span<const std::int64_t> tokens) {
  const Problem& problem = workload_.problem();
  std::vector<float> rows;
  for (const std::int64_t token : tokens)
    for (std::int64_t n = 0; n < problem.N2; ++n)
      rows.push_back(from_bits(problem.dtype, output_[token * problem.N2 + n]));
  return rows;
}

double FakePipeline::model_us(Stage stage) const {
  const auto found = config_.stages.find(stage);
  const StageConfig config = found == config_.stages.end() ? StageConfig{} : found->second;
  const double us = workload_.time_us(stage, config).value();
  if (workload_.draw() == 0 || state_.spec.routing_spread == 0) return us;
  std::uint64_t key = static_cast<std::uint64_t>(workload_.draw());
  for (const char c : fmt::format("{} {}", to_string(stage), to_label(config)))
    key = mix_bits(key + static_cast<unsigned char>(c));
  return us * std::exp(state_.spec.routing_spread * static_cast<double>(near_normal(random_bits(key, 1), 1.0f)));
}

Result<std::vector<double>> FakePipeline::time(int n, const TimingOptions&) {
  return take(std::nullopt, whole_us(), n);
}

Result<std::vector<double>> FakePipeline::time_stages(StageRange stages, int n, const TimingOptions&) {
  return take(stages.first, model_us(stages), n);
}

Result<std::vector<double>> FakePipeline::take(std::optional<Stage> stage, double us, int n) {
  if (state_.is_lost) return lost();
  FakeDevice::Visit visit{.config = config_, .stage = stage, .samples = n, .data_seed = workload_.data().seed};
  visit.start_s = state_.now_s;
  std::vector<double> times;
  for (int i = 0; i < n; ++i) times.push_back(state_.sample(us, config_));
  visit.end_s = state_.now_s;
  state_.visits.push_back(std::move(visit));
  if (state_.has_fault(config_, Fault::nan_time)) times.back() = std::numeric_limits<double>::quiet_NaN();
  return times;
}

}  // namespace

TimeModel bowl(std::map<Stage, Config> optimum, double best_us, double slope) {
  return [=](Stage stage, const StageConfig& config) -> std::optional<double> {
    if (!is_tunable(stage)) return 5;
    double steps = 0;
    for (const auto& [name, value] : optimum.at(stage).values())
      steps += std::abs(std::log2(static_cast<double>(config.config.at(name)) / value));
    return best_us * (1 + slope * steps);
  };
}

TimeModel recording(std::map<std::pair<Stage, StageConfig>, double> times_us) {
  return [times = std::move(times_us)](Stage stage, const StageConfig& config) -> std::optional<double> {
    if (const auto found = times.find({stage, config}); found != times.end()) return found->second;
    if (!is_tunable(stage)) return 5;
    return std::nullopt;
  };
}

FakeDevice::FakeDevice(FakeSpec spec) : state_(std::make_unique<State>()) {
  state_->spec = std::move(spec);
  state_->info = {.backend = Backend::fake,
                  .id = "fake",
                  .name = "fake device",
                  .uuid = {},
                  .compute_capability = 0,
                  .multiprocessors = 1,
                  .l2_bytes = 1 << 20,
                  .memory_bytes = state_->spec.memory_bytes,
                  .shared_memory_per_block = 0,
                  .shared_memory_per_multiprocessor = 0,
                  .registers_per_multiprocessor = 0,
                  .driver = {},
                  .compiler = "none"};
}

FakeDevice::~FakeDevice() = default;

const DeviceInfo& FakeDevice::info() const {
  return state_->info;
}

double FakeDevice::settle_seconds() const {
  return state_->spec.settle_s;
}

void FakeDevice::read_memory(double seconds) {
  state_->rest(seconds);
}

ClockState FakeDevice::clock() const {
  const FakeSpec& spec = state_->spec;
  if (!spec.tells_clock) return {};
  constexpr double kFullMhz = 2000;
  const double slowdown = state_->slowdown();
  return {.sm_mhz = kFullMhz / (1 + slowdown),
          .slowed_by = slowdown > 0 ? std::vector<std::string>{ClockState::kPowerLimit} : std::vector<std::string>{}};
}

Ceilings FakeDevice::measure_ceilings() {
  return {.read_bytes_per_s = 1e9, .matrix_flops_per_s = 1e10};
}

std::vector<KernelSource> FakeDevice::kernels(const Problem&, std::span<const std::pair<Stage, StageConfig>>) const {
  return {};
}

void FakeDevice::prepare(const Problem&, std::span<const std::pair<Stage, StageConfig>> configs,
                         const std::function<void()>& done) {
  for (const auto& [stage, config] : configs) {
    state_->compile(stage, config);
    done();
  }
}

std::int64_t FakeDevice::bytes_needed(const Problem& problem) const {
  std::int64_t elements = problem.M * problem.N2 + problem.slots() * (problem.N1 + problem.inner() + problem.N2);
  for (const Tensor tensor : {Tensor::hidden, Tensor::w1, Tensor::b1, Tensor::w2, Tensor::b2})
    elements += element_count(problem, tensor);
  return 2 * elements;
}

std::unique_ptr<Workload> FakeDevice::load(const Problem& problem, const DataSpec& data) {
  const std::int64_t needed = bytes_needed(problem);
  if (needed > state_->info.memory_bytes)
    throw Error(fmt::format("{} needs {} bytes and the fake device has {}: take a smaller M", to_line(problem), needed,
                            state_->info.memory_bytes));
  return std::make_unique<FakeWorkload>(*state_, problem, data);
}

std::uint64_t FakeDevice::runs() const {
  return state_->runs;
}

bool FakeDevice::is_lost() const {
  return state_->is_lost;
}

double FakeDevice::seconds() const {
  return state_->now_s;
}

void FakeDevice::rest(double seconds) {
  state_->rest(seconds);
}

const std::vector<FakeDevice::Visit>& FakeDevice::visits() const {
  return state_->visits;
}

}  // namespace moetune
