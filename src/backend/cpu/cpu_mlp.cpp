#include "backend/cpu/cpu_mlp.h"

#include <algorithm>
#include <span>
#include <utility>

#include "kernel/cpu.h"
#include "kernel/grouped_gemm.h"

namespace moetune {
namespace {

/// Elements that are worth handing to another thread.
constexpr std::int64_t kGrain = 1 << 15;

std::int64_t rows_per_grain(std::int64_t row_elements) {
  return std::max<std::int64_t>(1, kGrain / row_elements);
}

}  // namespace

CpuMlp::CpuMlp(Host& host, const Problem& problem, const PipelineConfig& config)
    : host_(host), problem_(problem), impl_(config.impl) {
  for (const Stage stage : tunable_stages_of(impl_)) {
    const Config& chosen = config.stages.at(stage).config;
    const cpu::TileShape shape = cpu_tile_shape(chosen);
    const Gemm gemm{.shape = shape,
                    .threads = chosen.at("num_threads"),
                    .scratch_floats = cpu::scratch_floats(shape, gemm_shape(stage, problem_).K)};
    host_.reserve_scratch(gemm.threads, gemm.scratch_floats);
    gemms_.emplace(stage, gemm);
  }
}

void CpuMlp::run(std::int64_t M, const CpuAddresses& at) {
  for (const Stage stage : stages_of(impl_)) run_stage(stage, M, at);
}

void CpuMlp::run_stage(Stage stage, std::int64_t M, const CpuAddresses& at) {
  switch (stage) {
    case Stage::route:
      return route(M, at);
    case Stage::gemm1:
    case Stage::gate:
    case Stage::final:
      return multiply(stage, at);
    case Stage::activate:
      return activate(at);
    case Stage::mlp:  // of no CPU pipeline
      break;
    case Stage::combine:
      return combine(M, at);
  }
}

std::vector<std::span<const std::byte>> CpuMlp::own_memory() const {
  std::vector all{std::as_bytes(std::span(counts_)), std::as_bytes(std::span(group_begin_))};
  for (const auto& [stage, gemm] : gemms_) {
    all.push_back(gemm.tiles.memory());
    for (int worker = 0; worker < std::min(gemm.threads, host_.pool().size()); ++worker)
      all.push_back(std::as_bytes(std::span<const float>(host_.scratch(worker), gemm.scratch_floats)));
  }
  return all;
}

ExpertMap CpuMlp::expert_map(const CpuAddresses& at) const {
  return {.local = at.expert_map,
          .global = static_cast<int>(at.expert_map == nullptr ? problem_.E : at.global_experts),
          .experts = static_cast<int>(problem_.E)};
}

void CpuMlp::route(std::int64_t M, const CpuAddresses& at) {
  const ExpertMap map = expert_map(at);
  const std::int64_t slots = M * problem_.topk;
  const std::span ids(at.topk_ids, static_cast<std::size_t>(slots));
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
    cpu::place_slots(part_of(i), map, i * part, counts_of(i), at.sorted_slots);
  });
  for (auto& [stage, gemm] : gemms_)
    gemm.tiles.build(group_begin_, gemm.shape, epilogue_of(stage), gemm_shape(stage, problem_).out_columns);
}

void CpuMlp::multiply(Stage stage, const CpuAddresses& at) {
  const Gemm& gemm = gemms_.at(stage);
  const bool final = stage == Stage::final;
  const GemmShape shape = gemm_shape(stage, problem_);
  const cpu::GroupedGemm arguments{.dtype = problem_.dtype,
                                   .epilogue = epilogue_of(stage),
                                   .activation = problem_.activation,
                                   .weight_on_input = problem_.weight_on_input,
                                   .K = shape.K,
                                   .N = shape.weight_rows,
                                   .topk = problem_.topk,
                                   .x = final ? at.cache2 : at.hidden,
                                   .x_pitch = final || at.hidden_pitch == 0 ? shape.K : at.hidden_pitch,
                                   .w = final ? at.w2 : at.w1,
                                   .bias = final ? at.b2 : at.b1,
                                   .sorted_slots = at.sorted_slots,
                                   .routing_weights = at.topk_weights,
                                   .out = final                   ? at.cache3
                                          : stage == Stage::gemm1 ? at.cache1
                                                                  : at.cache2};
  host_.pool().for_each(gemm.threads, gemm.tiles.size(), [&](std::int64_t i, int worker) {
    const cpu::Tile tile = gemm.tiles.at(i);
    cpu::gemm_tile(arguments, gemm.shape, tile, host_.scratch(worker));
  });
}

void CpuMlp::activate(const CpuAddresses& at) {
  host_.pool().for_ranges(host_.pool().size(), group_begin_.back(), rows_per_grain(problem_.N1),
                          [&](std::int64_t begin, std::int64_t end, int) {
                            cpu::activate_rows(problem_.dtype, problem_.activation, begin, end, problem_.inner(),
                                               at.cache1, at.cache2);
                          });
}

void CpuMlp::combine(std::int64_t M, const CpuAddresses& at) {
  constexpr std::int64_t kColumns = 1024;
  const std::int64_t columns = (problem_.N2 + kColumns - 1) / kColumns;
  const std::int64_t tokens = rows_per_grain(problem_.topk * std::min(kColumns, problem_.N2));
  const std::int64_t token_ranges = (M + tokens - 1) / tokens;
  host_.pool().for_each(host_.pool().size(), token_ranges * columns, [&](std::int64_t i, int) {
    const std::int64_t begin = i / columns * tokens, column = i % columns * kColumns;
    cpu::combine_rows(problem_.dtype, begin, std::min(M, begin + tokens), column,
                      std::min(problem_.N2, column + kColumns), problem_.topk, problem_.N2, at.topk_ids, expert_map(at),
                      at.cache3, at.out, at.out_pitch == 0 ? problem_.N2 : at.out_pitch);
  });
}

}  // namespace moetune
