#include "backend/cuda/cuda_pipeline.h"

#include "kernel/engine.h"

namespace moetune::cuda {

CudaPipeline::CudaPipeline(std::shared_ptr<Gpu> gpu, const Problem& problem, const ProblemBuffers& buffers,
                           const PipelineConfig& config)
    : gpu_(std::move(gpu)), problem_(problem), buffers_(buffers), is_repeatable_(moetune::is_repeatable(config)) {
  LaunchPlan(*gpu_, problem, config).visit(problem.M, buffers.addresses(), [&](Stage stage, const Launch& launch) {
    steps_.push_back({stage, launch});
  });
}

Result<OutputScan> CudaPipeline::run() {
  try {
    const Driver& d = gpu_->driver();
    gpu_->use();
    for (const Buffer* buffer : {&buffers_.cache1, &buffers_.cache2, &buffers_.cache3, &buffers_.out})
      d.check(d.fill_16_async(buffer->address(), kPoison, buffer->bytes() / 2, gpu_->stream()), "poisoning");
    d.check(d.fill_8_async(buffers_.scan.address(), 0, buffers_.scan.bytes(), gpu_->stream()), "clearing the scan");
    for (const Launch& launch : launches({})) gpu_->enqueue(launch);

    Launch scan{.function = gpu_->load({.path = "kernels/data/kernel.cu", .defines = {}}, "scan_output"),
                .grid = static_cast<unsigned>(gpu_->info().multiprocessors * 4),
                .block = 256};
    scan.set_arguments(ScanArguments{.in = buffers_.out.as<const unsigned short>(),
                                     .count = problem_.M * problem_.N2,
                                     .dtype = problem_.dtype,
                                     .poison = kPoison,
                                     .result = buffers_.scan.as<ScanResult>()});
    gpu_->enqueue(scan);
    gpu_->wait();
    ScanResult result{};
    buffers_.scan.download(std::span(&result, 1));
    return OutputScan{.hash = result.hash,
                      .nonfinite = static_cast<std::int64_t>(result.nonfinite),
                      .unwritten = static_cast<std::int64_t>(result.unwritten)};
  } catch (const DeviceError& error) {
    return error.failure;
  }
}

std::vector<float> CudaPipeline::read_rows(std::span<const std::int64_t> tokens) {
  const std::size_t columns = static_cast<std::size_t>(problem_.N2);
  std::vector<std::uint16_t> bits(tokens.size() * columns);
  // Runs of neighbouring rows in one copy each.
  for (std::size_t first = 0; first < tokens.size();) {
    std::size_t last = first + 1;
    while (last < tokens.size() && tokens[last] == tokens[last - 1] + 1) last++;
    buffers_.out.download(std::span(bits).subspan(first * columns, (last - first) * columns),
                          static_cast<std::size_t>(tokens[first]) * columns);
    first = last;
  }
  std::vector<float> values(bits.size());
  for (std::size_t i = 0; i < bits.size(); i++) values[i] = from_bits(problem_.dtype, bits[i]);
  return values;
}

std::vector<Launch> CudaPipeline::launches(StageRange stages) const {
  std::vector<Launch> wanted;
  for (const Step& step : steps_)
    if (stages.contains(step.stage)) wanted.push_back(step.launch);
  if (!wanted.empty()) wanted.front().overlaps_predecessor = false;
  return wanted;
}

Result<std::vector<double>> CudaPipeline::time(int n, const TimingOptions& options) {
  return time_stages({}, n, options);
}

Result<std::vector<double>> CudaPipeline::time_stages(StageRange stages, int n, const TimingOptions& options) {
  try {
    gpu_->use();
    const std::vector<Launch> work = launches(stages);
    if (work.empty())
      return std::vector<double>(static_cast<std::size_t>(n), 0.0);  // a stage that this problem does without
    const auto enqueue_all = [&] {
      for (const Launch& launch : work) gpu_->enqueue(launch);
    };
    const auto before = [&] {
      if (options.cache == CacheState::cold) gpu_->flush_cache();
    };
    const auto before_eager = [&] {
      before();
      gpu_->wait();
    };
    if (options.launch == LaunchMode::eager) return gpu_->time(n, before_eager, enqueue_all);
    if (options.launch == LaunchMode::stream) return gpu_->time(n, before, enqueue_all);
    ReadyGraph& graph = graphs_[stages];
    if (!graph) graph = gpu_->record(enqueue_all);
    return gpu_->time(n, before, [&] { graph.launch(gpu_->stream()); });
  } catch (const DeviceError& error) {
    return error.failure;
  }
}

}  // namespace moetune::cuda
