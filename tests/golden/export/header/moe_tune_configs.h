// Tuned configs of expert MLPs, written by moe-tune. C++17.
#ifndef MOETUNE_CONFIGS_H
#define MOETUNE_CONFIGS_H

namespace moetune_configs {

// The version and revision of moe-tune that found the first entry, and when its run began.
inline constexpr const char* kFoundBy = "0.1.0 0123456789ab 2025-01-31T12:00:00Z";

// A GEMM's kernel. A parameter that the engine does not have is 0.
struct StageConfig {
  const char* engine;
  int BLOCK_SIZE_M;
  int BLOCK_SIZE_N;
  int BLOCK_SIZE_K;
  int GROUP_SIZE_M;
  int num_warps;
  int num_stages;
  int num_consumers;
};

struct Entry {
  const char* device;
  const char* model;  // the preset, or empty
  long long M, K, N1, N2, E, topk;
  long long ep_ranks, ep_rank;  // E experts on each of ep_ranks devices
  const char *dtype, *activation, *bias;
  bool weight_on_input;
  const char* routing;
  const char *cache, *launch, *load;  // how it was timed
  const char* impl;                   // three_kernel or merged
  double median_us;                   // of the whole pipeline
  StageConfig first;                  // gemm1 of three_kernel, gate of merged
  StageConfig final_gemm;
};

inline constexpr Entry kEntries[] = {
    {"NVIDIA H200", "qwen3-30b-a3b",
     1, 2048, 1536, 2048, 128, 8, 1, 0, "bf16", "silu", "none", false, "zipf:1.5",
     "cold", "graph", "lasting", "merged", 160,
     {"mma", 16, 64, 128, 8, 4, 3, 0},
     {"mma", 16, 64, 128, 8, 4, 3, 0}},
    {"NVIDIA H200", "qwen3-30b-a3b",
     64, 2048, 1536, 2048, 128, 8, 1, 0, "bf16", "silu", "none", false, "zipf:1.5",
     "cold", "graph", "lasting", "three_kernel", 168,
     {"mma", 16, 64, 128, 8, 4, 3, 0},
     {"mma", 32, 64, 128, 8, 4, 3, 0}},
    {"NVIDIA H200", "qwen3-30b-a3b",
     4096, 2048, 1536, 2048, 128, 8, 1, 0, "bf16", "silu", "none", false, "zipf:1.5",
     "cold", "graph", "lasting", "three_kernel", 168,
     {"wgmma", 128, 0, 0, 0, 0, 0, 2},
     {"mma", 16, 64, 128, 8, 4, 3, 0}},
    {"NVIDIA H200", "",
     16, 2048, 1536, 2048, 8, 8, 1, 0, "bf16", "silu", "both", false, "file:my, \"ids\"\012.npy",
     "cold", "graph", "lasting", "merged", 1234.5678,
     {"mma", 16, 64, 128, 8, 4, 3, 0},
     {"mma", 16, 64, 128, 8, 4, 3, 0}},
};

}  // namespace moetune_configs

#endif  // MOETUNE_CONFIGS_H
