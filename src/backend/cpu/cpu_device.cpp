#include "backend/cpu/cpu_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>

#include "backend/cpu/cpu_pipeline.h"
#include "backend/cpu/host.h"
#include "backend/cpu/machine.h"
#include "base/error.h"
#include "data/fill.h"
#include "kernel/cpu.h"

namespace moetune {
namespace {

constexpr std::array kTensors{Tensor::hidden, Tensor::w1, Tensor::b1, Tensor::w2, Tensor::b2};

double gibibytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 30);
}

class CpuWorkload final : public Workload {
 public:
  CpuWorkload(Host& host, const Problem& problem, const DataSpec& data) : host_(host), problem_(problem) {
    for (const Tensor tensor : kTensors)
      tensors_.inputs[static_cast<std::size_t>(tensor)] = Buffer<std::uint16_t>(element_count(problem, tensor));
    tensors_.sorted_slots = Buffer<std::int32_t>(problem.slots());
    tensors_.cache2 = Buffer<std::uint16_t>(problem.slots() * problem.inner());
    tensors_.cache3 = Buffer<std::uint16_t>(problem.slots() * problem.N2);
    tensors_.out = Buffer<std::uint16_t>(problem.M * problem.N2);
    refill(data);
  }

  const Problem& problem() const override { return problem_; }
  const DataSpec& data() const override { return data_; }
  const Routing& routing() const override { return tensors_.routing; }

  void refill(const DataSpec& data) override {
    tensors_.routing = make_routing(problem_, data);  // may throw: nothing else has changed yet
    data_ = data;
    tensors_.last_run = nullptr;
    for (const Tensor tensor : kTensors) {
      const Buffer<std::uint16_t>& buffer = tensors_.inputs[static_cast<std::size_t>(tensor)];
      const FillSpec spec = fill_spec(problem_, tensor, data);
      constexpr std::int64_t kBlock = 1 << 14;  // of floats, in the first- and second-level cache
      host_.pool().for_ranges(host_.pool().size(), buffer.size(), kBlock,
                              [&](std::int64_t begin, std::int64_t end, int) {
                                thread_local std::array<float, kBlock> block;
                                const std::span<float> values(block.data(), static_cast<std::size_t>(end - begin));
                                fill_floats(spec, begin, values);
                                cpu::narrow_floats(spec.dtype, values.data(), end - begin, buffer.data() + begin);
                              });
    }
  }

  void reroute(int draw) override {
    tensors_.routing = make_routing(problem_, data_, draw);
    tensors_.last_run = nullptr;
  }

  Result<std::unique_ptr<Pipeline>> build(const PipelineConfig& config) override {
    for (const Stage stage : tunable_stages_of(config.impl)) {
      const auto each = config.stages.find(stage);
      if (each == config.stages.end())
        return Failure{Outcome::invalid, fmt::format("stage {} has no config", to_string(stage))};
      const Engine& engine = cpu_engine();
      if (each->second.engine != engine.name)
        return Failure{Outcome::invalid, fmt::format("engine {} does not run on the CPU", each->second.engine)};
      if (auto reason = engine.why_invalid(each->second.config, stage, problem_, host_.info()))
        return Failure{Outcome::invalid, fmt::format("{}: {}", to_string(stage), *reason)};
    }
    try {
      if (config.impl == Impl::three_kernel && tensors_.cache1.size() == 0)
        tensors_.cache1 = Buffer<std::uint16_t>(problem_.slots() * problem_.N1);
      return std::unique_ptr<Pipeline>(std::make_unique<CpuPipeline>(host_, problem_, tensors_, config));
    } catch (const std::bad_alloc&) {
      return Failure{Outcome::out_of_memory, "not enough memory for the intermediates"};
    }
  }

 private:
  Host& host_;
  Problem problem_;
  DataSpec data_;
  CpuTensors tensors_;
};

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int threads) : host_(threads) {}

  const DeviceInfo& info() const override { return host_.info(); }

  double settle_seconds() const override { return 0; }

  Ceilings measure_ceilings() override {
    return {.read_bytes_per_s = measure_read(), .matrix_flops_per_s = measure_matrix()};
  }

  std::vector<KernelSource> kernels(const Problem&, std::span<const std::pair<Stage, StageConfig>>) const override {
    return {};
  }

  void prepare(const Problem&, std::span<const std::pair<Stage, StageConfig>> configs,
               const std::function<void()>& done) override {
    for (std::size_t i = 0; i < configs.size(); ++i) done();  // the kernels are part of the binary
  }

  std::int64_t bytes_needed(const Problem& p) const override {
    // In floating point: sizes that overflow an integer must not wrap round to something that fits.
    const auto size = [](std::int64_t value) { return static_cast<double>(value); };
    const double slots = size(p.M) * size(p.topk), inner = size(p.N1) / 2;
    const double inputs = size(p.M) * size(p.K) + size(p.E) * (size(p.N1) * size(p.K) + size(p.N2) * inner) +
                          (p.has_b1() ? size(p.E) * size(p.N1) : 0) + (p.has_b2() ? size(p.E) * size(p.N2) : 0);
    const double caches = slots * (size(p.N1) + inner + size(p.N2)) + size(p.M) * size(p.N2);
    const double routing = slots * (sizeof(std::int32_t) + sizeof(float) + sizeof(std::int32_t));
    constexpr double kScratch = 4 << 20;  // of a thread, for tiles of ordinary size
    double bytes = 2 * (inputs + caches) + routing + kScratch * host_.info().multiprocessors;
    bytes += size(host_.cache_flush().streamed_bytes(bytes));
    return bytes < 9e18 ? static_cast<std::int64_t>(bytes) : std::numeric_limits<std::int64_t>::max();
  }

  std::unique_ptr<Workload> load(const Problem& problem, const DataSpec& data) override {
    validate(problem);
    const std::int64_t needed = bytes_needed(problem), available = available_memory();
    if (needed > available)
      throw Error(
          fmt::format("{} needs {:.1f} GiB of memory, {:.1f} GiB are available on {}: take fewer experts (--ep), "
                      "a narrower shard (--tp) or fewer tokens",
                      to_line(problem), gibibytes(needed), gibibytes(available), info().name));
    return std::make_unique<CpuWorkload>(host_, problem, data);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// The best of passes over a buffer several times the caches, for about half a second.
  double measure_read() {
    const std::int64_t wish = std::max<std::int64_t>(4 * info().l2_bytes, std::int64_t{256} << 20);
    const std::int64_t bytes =
        std::clamp<std::int64_t>(wish, 1 << 20, std::max<std::int64_t>(available_memory() / 4, 1 << 20));
    const Buffer<std::uint8_t> buffer(bytes);
    const auto pass = [&](const auto& body) {
      host_.pool().for_ranges(host_.pool().size(), bytes, 1 << 20, [&](std::int64_t begin, std::int64_t end, int) {
        body(buffer.data() + begin, static_cast<std::size_t>(end - begin));
      });
    };
    pass([](std::uint8_t* data, std::size_t size) { std::memset(data, 1, size); });
    double best = 0;
    for (const auto start = Clock::now(); seconds_since(start) < 0.5;) {
      const auto begin = Clock::now();
      pass([](const std::uint8_t* data, std::size_t size) { cpu::stream_read(data, size); });
      best = std::max(best, static_cast<double>(bytes) / seconds_since(begin));
    }
    return best;
  }

  /// The packed micro-kernel on operands in the first-level cache, all threads at once; the best of some 50 ms rounds.
  double measure_matrix() {
    const int threads = host_.pool().size();
    host_.reserve_scratch(threads, cpu::peak_scratch_floats());
    host_.pool().run(threads, [&](int worker) {
      std::fill(host_.scratch(worker), host_.scratch(worker) + cpu::peak_scratch_floats(), 1.0f);
    });
    int repeats = 1000;
    double best = 0;
    for (const auto start = Clock::now(); seconds_since(start) < 0.5;) {
      std::atomic<std::int64_t> flops{0};
      const auto begin = Clock::now();
      host_.pool().run(threads, [&](int worker) { flops += cpu::run_peak(repeats, host_.scratch(worker)); });
      const double seconds = seconds_since(begin);
      best = std::max(best, static_cast<double>(flops) / seconds);
      if (seconds < 0.05) repeats *= 2;
    }
    return best;
  }

  Host host_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads) {
  return std::make_unique<CpuDevice>(threads);
}

}  // namespace moetune
