#include "backend/cpu/cpu_pipeline.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "backend/cpu/scan.h"
#include "kernel/cpu.h"

namespace moetune {
namespace {

/// Elements that are worth handing to another thread.
constexpr std::int64_t kGrain = 1 << 15;

std::int64_t rows_per_grain(std::int64_t row_elements) {
  return std::max<std::int64_t>(1, kGrain / row_elements);
}

}  // namespace

CpuPipeline::CpuPipeline(Host& host, const Problem& problem, CpuTensors& tensors, const PipelineConfig& config)
    : host_(host), problem_(problem), tensors_(tensors), impl_(config.impl) {
  for (const Stage stage : tunable_stages_of(impl_)) {
    const auto [entry, added] = gemms_.emplace(stage, make_gemm(stage, config.stages.at(stage)));
    const Gemm& gemm = entry->second;
    host_.reserve_scratch(gemm.threads, cpu::scratch_floats(gemm.shape, gemm.arguments.K));
  }
}

CpuPipeline::~CpuPipeline() {
  if (tensors_.last_run == this) tensors_.last_run = nullptr;
}

CpuPipeline::Gemm CpuPipeline::make_gemm(Stage stage, const StageConfig& config) const {
  const bool final = stage == Stage::final;
  const bool has_bias = final ? problem_.has_b2() : problem_.has_b1();
  return {.arguments = {.dtype = problem_.dtype,
                        .epilogue = epilogue_of(stage),
                        .activation = problem_.activation,
                        .weight_on_input = problem_.weight_on_input,
                        .K = final ? problem_.inner() : problem_.K,
                        .N = final ? problem_.N2 : problem_.N1,
                        .topk = problem_.topk,
                        .x = final ? tensors_.cache2.data() : tensors_.input(Tensor::hidden),
                        .w = tensors_.input(final ? Tensor::w2 : Tensor::w1),
                        .bias = has_bias ? tensors_.input(final ? Tensor::b2 : Tensor::b1) : nullptr,
                        .sorted_slots = tensors_.sorted_slots.data(),
                        .routing_weights = nullptr,  // set by multiply(): a refill moves them
                        .out = final                   ? tensors_.cache3.data()
                               : stage == Stage::gemm1 ? tensors_.cache1.data()
                                                       : tensors_.cache2.data()},
          .shape = cpu_tile_shape(config.config),
          .tiles = {},
          .threads = config.config.at("num_threads")};
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

Result<std::vector<double>> CpuPipeline::time_stage(Stage stage, int n, const TimingOptions& options) {
  const auto stages = stages_of(impl_);
  if (std::find(stages.begin(), stages.end(), stage) == stages.end())
    return Failure{.outcome = Outcome::invalid,
                   .reason = std::string(to_string(impl_)) + " has no stage " + std::string(to_string(stage))};
  make_current();
  return sample(n, options, [this, stage] { run_stage(stage); });
}

template <class Body>
std::vector<double> CpuPipeline::sample(int n, const TimingOptions& options, const Body& body) {
  std::vector<double> samples_us;
  for (int i = 0; i < n; ++i) {
    if (options.cache == CacheState::cold) host_.flush_caches();
    const auto start = std::chrono::steady_clock::now();
    body();
    samples_us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  return samples_us;
}

void CpuPipeline::make_current() {
  if (tensors_.last_run != this) run_stages();
}

void CpuPipeline::run_stages() {
  for (const Stage stage : stages_of(impl_)) run_stage(stage);
  tensors_.last_run = this;
}

void CpuPipeline::run_stage(Stage stage) {
  switch (stage) {
    case Stage::route:
      return route();
    case Stage::gemm1:
    case Stage::gate:
    case Stage::final:
      return multiply(gemms_.at(stage));
    case Stage::activate:
      return activate();
    case Stage::mlp:  // of no CPU pipeline
      break;
    case Stage::combine:
      return combine();
  }
}

ExpertMap CpuPipeline::expert_map() const {
  const std::vector<std::int32_t>& map = tensors_.routing.expert_map;
  return {.local = map.empty() ? nullptr : map.data(),
          .global = static_cast<int>(map.empty() ? problem_.E : static_cast<std::int64_t>(map.size())),
          .experts = static_cast<int>(problem_.E)};
}

void CpuPipeline::route() {
  const std::span<const std::int32_t> ids = tensors_.routing.topk_ids;
  const ExpertMap map = expert_map();
  const auto slots = static_cast<std::int64_t>(ids.size());
  const auto experts = static_cast<std::size_t>(problem_.E);
  // Every part counts its slots, then places them where the parts before it end: the order within an expert is by slot,
  // however many parts there are.
  const std::int64_t part = std::max(kGrain, (slots + host_.pool().size() - 1) / host_.pool().size());
  const std::int64_t parts = (slots + part - 1) / part;
  const auto part_of = [&](std::int64_t i) {
    return ids.subspan(static_cast<std::size_t>(i * part), static_cast<std::size_t>(std::min(part, slots - i * part)));
  };
  counts_.assign(static_cast<std::size_t>(parts) * experts, 0);
  const auto counts_of = [&](std::int64_t i) {
    return std::span(counts_).subspan(static_cast<std::size_t>(i) * experts, experts);
  };
  host_.pool().for_each(host_.pool().size(), parts,
                        [&](std::int64_t i, int) { cpu::count_slots(part_of(i), map, counts_of(i)); });

  group_begin_.resize(experts + 1);
  std::int64_t position = 0;
  for (std::size_t e = 0; e < experts; ++e) {
    group_begin_[e] = position;
    for (std::int64_t i = 0; i < parts; ++i) {
      std::int64_t& count = counts_[static_cast<std::size_t>(i) * experts + e];
      position += std::exchange(count, position);
    }
  }
  group_begin_[experts] = position;

  host_.pool().for_each(host_.pool().size(), parts, [&](std::int64_t i, int) {
    cpu::place_slots(part_of(i), map, i * part, counts_of(i), tensors_.sorted_slots.data());
  });
  for (auto& [stage, gemm] : gemms_)
    gemm.tiles.build(group_begin_, gemm.shape, gemm.arguments.epilogue, gemm.arguments.width());
}

void CpuPipeline::multiply(const Gemm& gemm) {
  cpu::GroupedGemm arguments = gemm.arguments;
  arguments.routing_weights = tensors_.routing.topk_weights.data();
  host_.pool().for_each(gemm.threads, gemm.tiles.size(), [&](std::int64_t i, int worker) {
    const cpu::Tile tile = gemm.tiles.at(i);
    cpu::gemm_tile(arguments, gemm.shape, tile, host_.scratch(worker));
  });
}

void CpuPipeline::activate() {
  host_.pool().for_ranges(host_.pool().size(), group_begin_.back(), rows_per_grain(problem_.N1),
                          [&](std::int64_t begin, std::int64_t end, int) {
                            cpu::activate_rows(problem_.dtype, problem_.activation, begin, end, problem_.inner(),
                                               tensors_.cache1.data(), tensors_.cache2.data());
                          });
}

void CpuPipeline::combine() {
  constexpr std::int64_t kColumns = 1024;
  const std::int64_t columns = (problem_.N2 + kColumns - 1) / kColumns;
  const std::int64_t tokens = rows_per_grain(problem_.topk * std::min(kColumns, problem_.N2));
  const std::int64_t token_ranges = (problem_.M + tokens - 1) / tokens;
  const ExpertMap map = expert_map();
  host_.pool().for_each(host_.pool().size(), token_ranges * columns, [&](std::int64_t i, int) {
    const std::int64_t begin = i / columns * tokens, column = i % columns * kColumns;
    cpu::combine_rows(problem_.dtype, begin, std::min(problem_.M, begin + tokens), column,
                      std::min(problem_.N2, column + kColumns), problem_.topk, problem_.N2,
                      tensors_.routing.topk_ids.data(), map, tensors_.cache3.data(), tensors_.out.data());
  });
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
