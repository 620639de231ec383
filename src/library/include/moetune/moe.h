/* The expert MLP of Mixture-of-Experts models in two kernels, at configs that moe-tune found: C interface of libmoetune.
 *
 *   g, u = halves of  hidden_states[m] . w1[e]^T + b1[e]     e = topk_ids[m, j]
 *   h    = activation(g, u)
 *   y    = (h . w2[e]^T + b2[e]) * topk_weights[m, j]
 *   out[m] = sum over j of y
 *
 * M tokens, K inputs and N2 outputs of a token, N1 rows of w1 (gate half first, then up half), E experts, topk choices
 * of a token. Tensors of dtype hold 16-bit floats; accumulation, bias, activation and routing weights are in fp32.
 *
 *   moe_context_open        a device and a folder of best configs
 *   moe_plan_create         a problem: chooses a config for each M, compiles and loads its kernels
 *   moe_plan_workspace_size
 *   moe_run                 puts the kernels into a stream; neither allocates nor waits, may be captured into a CUDA graph
 *   moe_plan_destroy, moe_context_close
 *
 * Functions return a code; where it is not MOE_OK, moe_error_message() has one sentence that names the argument, and
 * nothing was written. All functions may be called from several threads at once, also with one context or plan; only
 * destroying is for one thread alone, when nothing that was begun with the plan still runs. */
#ifndef MOETUNE_MOE_H_
#define MOETUNE_MOE_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MOE_API __attribute__((visibility("default")))
#else
#define MOE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum moe_status {
  MOE_OK = 0,
  MOE_ERROR_ARGUMENT = 1,      /* an argument is wrong */
  MOE_ERROR_WORKSPACE = 2,     /* the workspace is too small */
  MOE_ERROR_UNSUPPORTED = 3,   /* a problem, tensor or option that no kernel is for */
  MOE_ERROR_CONFIGS = 4,       /* the folder of best configs cannot be read */
  MOE_ERROR_NO_DEVICE = 5,     /* no such GPU, no driver, no compiler of kernels */
  MOE_ERROR_COMPILE = 6,       /* no kernel for the problem could be compiled */
  MOE_ERROR_OUT_OF_MEMORY = 7,
  MOE_ERROR_DEVICE = 8,        /* the device refused or failed */
  MOE_ERROR_INTERNAL = 9       /* a fault in this library */
} moe_status;

typedef enum moe_dtype { MOE_FP16 = 0, MOE_BF16 = 1 } moe_dtype;

/* silu g*sigmoid(g)*u; gelu through erf; gelu_tanh its tanh approximation; swigluoai
 * (clamp(u, -7, 7) + 1) * min(g, 7) * sigmoid(1.702 * min(g, 7)), with gate and up in halves, not interleaved */
typedef enum moe_activation { MOE_SILU = 0, MOE_GELU = 1, MOE_GELU_TANH = 2, MOE_SWIGLUOAI = 3 } moe_activation;

typedef enum moe_impl {
  MOE_MERGED = 0,      /* activation in the first GEMM's epilogue; for each M one kernel or two, as was found faster */
  MOE_THREE_KERNEL = 1 /* GEMM, activation, GEMM */
} moe_impl;

/* Begin with MOE_PROBLEM_INIT, which says fp16, silu, merged and no biases. */
typedef struct moe_problem {
  size_t size;                /* sizeof(moe_problem): tells which fields the caller knows */
  int64_t K, N1, N2, E, topk; /* K, N1/2 and N2 are multiples of 8; E <= 1024; topk is at most all experts */
  int64_t max_M;              /* the most tokens of a call; max_M * topk is at most 2^24 */
  int32_t dtype;              /* moe_dtype */
  int32_t activation;         /* moe_activation */
  int32_t impl;               /* moe_impl */
  int32_t has_b1, has_b2;     /* 1 where there is such a bias */
  int32_t apply_router_weight_on_input; /* 1: topk_weights multiply before the activation instead of at the end */
  int64_t global_E;           /* experts of all ranks where calls come with an expert_map: up to 2^16; else 0 */
} moe_problem;
#define MOE_PROBLEM_INIT {sizeof(moe_problem), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* Reads the ids of the call back and refuses those that name no expert, waiting for the stream. Not within a capture. */
#define MOE_CHECK_IDS 1u

/* A call. Begin with MOE_ARGUMENTS_INIT. Pointers are the device's (those of the CPU: the host's) and aligned to 16
 * bytes. Tensors are contiguous but for the rows of hidden_states and out. out may be hidden_states. */
typedef struct moe_arguments {
  size_t size;                 /* sizeof(moe_arguments) */
  int64_t M;                   /* tokens: 0 to the plan's max_M */
  const void* hidden_states;   /* [M, K] of dtype */
  int64_t hidden_states_stride; /* elements from row to row, a multiple of 8; 0: K */
  const void* w1;              /* [E, N1, K] of dtype */
  const void* w2;              /* [E, N2, N1/2] of dtype */
  const void* b1;              /* [E, N1] of dtype, where the problem has it; else null */
  const void* b2;              /* [E, N2] of dtype, where the problem has it; else null */
  const float* topk_weights;   /* [M, topk] */
  const int32_t* topk_ids;     /* [M, topk], distinct in each row; ids that name no expert choose nothing */
  const int32_t* expert_map;   /* [global_E]: from the ids in topk_ids to those of w1 and w2, -1 for experts elsewhere;
                                  null where the problem has no global_E: they are the same */
  void* out;                   /* [M, N2] of dtype */
  int64_t out_stride;          /* elements from row to row, a multiple of 8; 0: N2 */
  void* workspace;             /* of any content; until the call's kernels are done it is theirs */
  size_t workspace_size;       /* bytes, at least moe_plan_workspace_size() for this M */
  void* stream;                /* CUstream or cudaStream_t of the plan's device; on the CPU null */
  uint32_t flags;              /* MOE_CHECK_IDS or 0 */
} moe_arguments;
#define MOE_ARGUMENTS_INIT {sizeof(moe_arguments), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

typedef struct moe_context moe_context;
typedef struct moe_plan moe_plan;

/* "0.1.0" */
MOE_API const char* moe_version(void);

/* What was wrong with the last call of this thread that failed; empty before. Lives until its next failure. */
MOE_API const char* moe_error_message(void);

/* Opens a device: "cpu", "cuda:N" or "auto", the first GPU or else the CPU. `configs` is a folder with the best configs
 * that `moe-tune tune --out` writes (its best/, or the one above); null or "": none, so that every config is guessed.
 * Those of other devices in it are left alone. */
MOE_API moe_status moe_context_open(const char* device, const char* configs, moe_context** context);

/* Null is nothing to close. Plans may outlive their context. */
MOE_API void moe_context_close(moe_context* context);

/* Whether there can be a plan for the problem; compiles nothing. */
MOE_API moe_status moe_supports(moe_context* context, const moe_problem* problem);

/* Chooses the configs: of best configs for the same sizes those measured at the M of a call, else at the M nearest to it
 * in ratio; where there are none, of the engines' first guesses the one for which a model of the device promises most.
 * Compiles what is not in the cache on disk ($MOETUNE_CACHE_DIR), with as many threads as the host has, and loads it. */
MOE_API moe_status moe_plan_create(moe_context* context, const moe_problem* problem, moe_plan** plan);
MOE_API void moe_plan_destroy(moe_plan* plan);

/* Bytes that a call with up to M tokens needs. */
MOE_API moe_status moe_plan_workspace_size(const moe_plan* plan, int64_t M, size_t* bytes);

/* Which configs the plan takes for which M, and why: a line for each range of M. Lives as long as the plan. */
MOE_API const char* moe_plan_describe(const moe_plan* plan);

/* Puts the kernels of a call into the stream. On the CPU it returns when they are done. */
MOE_API moe_status moe_run(const moe_plan* plan, const moe_arguments* arguments);

#ifdef __cplusplus
}
#endif

#endif
