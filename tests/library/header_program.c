/* The header in C11, and a call from it: two tokens, two experts, all weights one. */
#include <moetune/moe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { M = 2, K = 8, N1 = 16, N2 = 8, E = 2 };
static const uint16_t one = 0x3f80; /* 1 as bf16 */

static void check(moe_status status) {
  if (status == MOE_OK) return;
  fprintf(stderr, "%s\n", moe_error_message());
  exit(1);
}

static void* filled(size_t count, uint16_t value) {
  uint16_t* values = aligned_alloc(64, (2 * count + 63) / 64 * 64);
  if (values == NULL) exit(1);
  for (size_t i = 0; i < count; i++) values[i] = value;
  return values;
}

int main(void) {
  moe_context* context = NULL;
  moe_plan* plan = NULL;
  moe_problem problem = MOE_PROBLEM_INIT;
  problem.K = K;
  problem.N1 = N1;
  problem.N2 = N2;
  problem.E = E;
  problem.topk = 1;
  problem.max_M = M;
  problem.dtype = MOE_BF16;
  problem.activation = MOE_SWIGLUOAI;
  check(moe_context_open("cpu", NULL, &context));
  check(moe_supports(context, &problem));
  check(moe_plan_create(context, &problem, &plan));

  moe_arguments call = MOE_ARGUMENTS_INIT;
  call.M = M;
  call.hidden_states = filled(M * K, one);
  call.w1 = filled(E * N1 * K, one);
  call.w2 = filled(E * N2 * (N1 / 2), one);
  call.out = filled(M * N2, 0);
  static _Alignas(16) const float weights[M] = {1.0f, 0.5f};
  static _Alignas(16) const int32_t ids[M] = {1, 0};
  call.topk_weights = weights;
  call.topk_ids = ids;
  check(moe_plan_workspace_size(plan, M, &call.workspace_size));
  call.workspace = malloc(call.workspace_size);
  check(moe_run(plan, &call));

  /* gate = up = 8, limited to 7: 8 inputs * (7 + 1) * 7 * sigmoid(1.702 * 7) = 448 to bf16's eight digits */
  const uint16_t* out = call.out;
  printf("%s %04x %04x\n", moe_version(), out[0], out[N2]);
  const int right = out[0] == 0x43e0 && out[N2] == 0x4360;

  moe_plan_destroy(plan);
  moe_context_close(context);
  free((void*)call.hidden_states);
  free((void*)call.w1);
  free((void*)call.w2);
  free(call.out);
  free(call.workspace);
  return right ? 0 : 1;
}
