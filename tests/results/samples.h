// Records with every field set, for tests of whatever reads or writes them.
#pragma once

#include "measure/trial.h"
#include "results/environment.h"

namespace moetune {

inline Problem sample_problem() {
  return {.M = 16,
          .K = 2048,
          .N1 = 1536,
          .N2 = 2048,
          .E = 128,
          .topk = 8,
          .dtype = DType::bf16,
          .activation = Activation::silu,
          .bias = Bias::none,
          .weight_on_input = false,
          .routing = {.kind = RoutingSpec::Kind::zipf, .zipf_s = 1.5, .path = {}},
          .model = "qwen3-30b-a3b"};
}

inline Config sample_config(int block_m) {
  return {{"BLOCK_SIZE_M", block_m}, {"BLOCK_SIZE_N", 64}, {"BLOCK_SIZE_K", 128},
          {"GROUP_SIZE_M", 8},       {"num_warps", 4},     {"num_stages", 3}};
}

inline PipelineConfig sample_pipeline(Impl impl) {
  PipelineConfig config{.impl = impl, .stages = {}};
  for (const Stage stage : tunable_stages_of(impl))
    config.stages[stage] = {.engine = "mma", .config = sample_config(stage == Stage::final ? 32 : 16)};
  return config;
}

inline Summary sample_summary(double median_us) {
  return {.median_us = median_us,
          .ci_low_us = median_us * 0.99,
          .ci_high_us = median_us * 1.01,
          .min_us = median_us * 0.97,
          .p10_us = median_us * 0.98,
          .p90_us = median_us * 1.03,
          .n = 40,
          .stopped_by = "interval"};
}

inline Verdict sample_verdict() {
  return {.passed = true,
          .reason = "",
          .relative_l2 = 0.0021,
          .worst_row = 0.0034,
          .worst_element = 0.41,
          .nonfinite = 0,
          .unwritten = 0,
          .bitwise_repeatable = true,
          .exact = false,
          .rows_checked = 12,
          .rows_total = 16,
          .experts_checked = 77,
          .experts_hit = 78,
          .group_ends_checked = true};
}

inline Trial sample_trial() {
  return {.problem = sample_problem(),
          .phase = Trial::Phase::screen,
          .stage = Stage::gate,
          .rung = 1,
          .config = sample_pipeline(Impl::merged),
          .data = {.fill = Fill::random, .seed = 18446744073709551615ull},
          .timing = {.cache = CacheState::warm, .launch = LaunchMode::stream},
          .outcome = Outcome::ok,
          .reason = "",
          .compile_s = 0.0625,
          .verdict = sample_verdict(),
          .time = sample_summary(123.456),
          .wall_s = 0.25,
          .elapsed_s = 12.5};
}

inline Best sample_best(Impl impl = Impl::merged, double median_us = 160) {
  Best best{.problem = sample_problem(),
            .config = sample_pipeline(impl),
            .data = {.fill = Fill::random, .seed = 7},
            .timing = {},
            .experts_hit = 78,
            .time = sample_summary(median_us),
            .burst = sample_summary(median_us * 0.9),
            .stage_times = {},
            .verdict = sample_verdict(),
            .roofline_us = 120,
            .ceiling = 1.09,
            .work = {.flops = 1.2e9, .bytes = 4.8e8},
            .versus_three_kernel = {},
            .choice = Choice{.ties = {sample_pipeline(impl)}, .flip_probability = 0.25, .margin = 0.0075},
            .bucket_transfer = {}};
  for (const Stage stage : stages_of(impl)) best.stage_times[stage] = sample_summary(20);
  if (impl == Impl::merged) best.versus_three_kernel = Ratio{.value = 1.05, .low = 1.03, .high = 1.06};
  return best;
}

/// Of sample_best() at other M: one that it serves, one where it does not run.
inline std::vector<Transfer> sample_bucket_transfer(Impl impl = Impl::merged) {
  return {{.impl = impl,
           .tuned_M = 16,
           .M = 24,
           .regret = Regret{.value = 0.0078125, .low = -0.001953125, .high = 0.015625},
           .reason = {},
           .served = true},
          {.impl = impl, .tuned_M = 16, .M = 96, .regret = {}, .reason = "invalid: too large", .served = false}};
}

/// Whose configs its device can run.
inline Best legal_best(std::int64_t M = 16) {
  Best best = sample_best(Impl::three_kernel);
  best.problem.M = M;
  for (auto& [stage, config] : best.config.stages) config.config = sample_config(16);
  return best;
}

inline Environment sample_environment() {
  return {.build = {.version = "0.1.0",
                    .git_revision = "0123456789ab",
                    .compiler = "GNU 12.2.0 Release",
                    .kernels = {{"mma", "0123456789abcdef"}}},
          .created = "2025-01-31T12:00:00Z",
          .system = "Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64",
          .cpu = "A Processor",
          .hardware_threads = 16,
          .memory_bytes = 137438953472,
          .device = {.backend = Backend::cuda,
                     .id = "cuda:0",
                     .name = "NVIDIA H200",
                     .uuid = "GPU-01234567",
                     .compute_capability = 90,
                     .multiprocessors = 132,
                     .l2_bytes = 62914560,
                     .memory_bytes = 150754820096,
                     .shared_memory_per_block = 232448,
                     .shared_memory_per_multiprocessor = 233472,
                     .registers_per_multiprocessor = 65536,
                     .driver = "13.0",
                     .compiler = "nvrtc 13.0"},
          .ceilings = {.read_bytes_per_s = 4.65e12, .matrix_flops_per_s = 7.9e14},
          .command = {"moe-tune", "tune", "--model", "qwen3-30b-a3b"}};
}

}  // namespace moetune
