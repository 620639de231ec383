#include "backend/cpu/cpu_pipeline.h"

#include <algorithm>
#include <chrono>

#include "backend/cpu/scan.h"

namespace moetune {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // elements that are worth handing to another thread

}  // namespace

CpuPipeline::CpuPipeline(Host& host, const Problem& problem, CpuTensors& tensors, const PipelineConfig& config)
    : host_(host), problem_(problem), tensors_(tensors), impl_(config.impl), mlp_(host, problem, config) {}

CpuPipeline::~CpuPipeline() {
  if (tensors_.last_run == this) tensors_.last_run = nullptr;
}

Result<OutputScan> CpuPipeline::run() {
  poison();
  run_stages();
  return scan_output(host_.pool(), problem_.dtype,
                     {tensors_.out.data(), static_cast<std::size_t>(tensors_.out.size())});
}

std::vector<float> CpuPipeline::read_rows(std::span<const std::int64_t> tokens) {
  make_current();
  std::vector<float> rows;
  rows.reserve(tokens.size() * static_cast<std::size_t>(problem_.N2));
  for (const std::int64_t token : tokens)
    for (std::int64_t n = 0; n < problem_.N2; ++n)
      rows.push_back(from_bits(problem_.dtype, tensors_.out.data()[token * problem_.N2 + n]));
  return rows;
}

Result<std::vector<double>> CpuPipeline::time(int n, const TimingOptions& options) {
  return sample(n, options, [this] { run_stages(); });
}

Result<std::vector<double>> CpuPipeline::time_stages(StageRange stages, int n, const TimingOptions& options) {
  std::vector<Stage> wanted;
  for (const Stage stage : stages_of(impl_))
    if (stages.contains(stage)) wanted.push_back(stage);
  if (wanted.empty())
    return Failure{.outcome = Outcome::invalid,
                   .reason = std::string(to_string(impl_)) + " has no stage " + std::string(to_string(stages.first))};
  make_current();
  return sample(n, options, [&] {
    for (const Stage stage : wanted) mlp_.run_stage(stage, problem_.M, addresses());
  });
}

template <class Body>
std::vector<double> CpuPipeline::sample(int n, const TimingOptions& options, const Body& body) {
  std::vector<double> samples_us;
  for (int i = 0; i < n; ++i) {
    if (options.cache == CacheState::cold) host_.flush_caches(touched());
    const auto start = std::chrono::steady_clock::now();
    body();
    samples_us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  return samples_us;
}

void CpuPipeline::make_current() {
  if (tensors_.last_run != this) run_stages();
}

std::vector<std::span<const std::byte>> CpuPipeline::touched() const {
  std::vector<std::span<const std::byte>> all = mlp_.own_memory();
  const auto add = [&all](const auto& values) { all.push_back(std::as_bytes(std::span(values))); };
  for (const Tensor tensor : {Tensor::hidden, Tensor::b1, Tensor::b2}) add(tensors_.values(tensor));
  // Weights of the experts that the routing hits: of 128, a token's 8 are a sixteenth.
  const std::vector<std::int64_t> rows = tensors_.routing.rows_per_expert();
  for (const Tensor tensor : {Tensor::w1, Tensor::w2}) {
    const std::span<const std::uint16_t> weights = tensors_.values(tensor);
    const std::size_t each = weights.size() / rows.size();
    for (std::size_t e = 0; e < rows.size(); ++e)
      if (rows[e] > 0) add(weights.subspan(e * each, each));
  }
  add(tensors_.routing.topk_ids);
  add(tensors_.routing.topk_weights);
  add(tensors_.routing.expert_map);
  add(tensors_.sorted_slots.span());
  if (impl_ == Impl::three_kernel) add(tensors_.cache1.span());
  for (const auto* buffer : {&tensors_.cache2, &tensors_.cache3, &tensors_.out}) add(buffer->span());
  return all;
}

CpuAddresses CpuPipeline::addresses() const {
  return {.hidden = tensors_.input(Tensor::hidden),
          .w1 = tensors_.input(Tensor::w1),
          .b1 = problem_.has_b1() ? tensors_.input(Tensor::b1) : nullptr,
          .w2 = tensors_.input(Tensor::w2),
          .b2 = problem_.has_b2() ? tensors_.input(Tensor::b2) : nullptr,
          .topk_ids = tensors_.routing.topk_ids.data(),
          .topk_weights = tensors_.routing.topk_weights.data(),
          .expert_map = tensors_.routing.expert_map.empty() ? nullptr : tensors_.routing.expert_map.data(),
          .global_experts = static_cast<std::int64_t>(tensors_.routing.expert_map.size()),
          .sorted_slots = tensors_.sorted_slots.data(),
          .cache1 = tensors_.cache1.data(),
          .cache2 = tensors_.cache2.data(),
          .cache3 = tensors_.cache3.data(),
          .out = tensors_.out.data()};
}

void CpuPipeline::run_stages() {
  mlp_.run(problem_.M, addresses());
  tensors_.last_run = this;
}

void CpuPipeline::poison() {
  for (const Buffer<std::uint16_t>* buffer : {&tensors_.cache1, &tensors_.cache2, &tensors_.cache3, &tensors_.out}) {
    host_.pool().for_ranges(host_.pool().size(), buffer->size(), kGrain,
                            [&](std::int64_t begin, std::int64_t end, int) {
                              std::fill(buffer->data() + begin, buffer->data() + end, kPoison);
                            });
  }
}

}  // namespace moetune
