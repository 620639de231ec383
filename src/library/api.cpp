// The C interface: checks what it is given, and turns what is thrown into codes and messages.
#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "library/context.h"
#include "library/include/moetune/moe.h"
#include "results/environment.h"

struct moe_context {
  moetune::Context context;
};

struct moe_plan {
  std::unique_ptr<moetune::Plan> plan;
  std::string description;
};

namespace moetune {
namespace {

/// Names the parameter that a message is about, in front of what a layer below says.
ApiError wrong(const std::string& message) {
  return {MOE_ERROR_ARGUMENT, message};
}

std::string& last_message() {
  thread_local std::string message;
  return message;
}

moe_status fail(moe_status status, const char* function, const char* message) noexcept {
  try {
    last_message() = fmt::format("{}: {}", function, message);
  } catch (...) {  // no memory for it
    last_message().clear();
  }
  return status;
}

moe_status status_of(const Failure& failure) {
  if (failure.outcome == Outcome::out_of_memory) return MOE_ERROR_OUT_OF_MEMORY;
  return failure.outcome == Outcome::compile_error ? MOE_ERROR_COMPILE : MOE_ERROR_DEVICE;
}

/// What a function of the interface does, `otherwise` the code for what the user can mend.
template <class Body>
moe_status guarded(const char* function, moe_status otherwise, const Body& body) noexcept {
  try {
    body();
    return MOE_OK;
  } catch (const ApiError& error) {
    return fail(error.status, function, error.what());
  } catch (const Error& error) {
    return fail(error.code() == ExitCode::no_device ? MOE_ERROR_NO_DEVICE : otherwise, function, error.what());
  } catch (const cuda::DeviceError& error) {
    return fail(status_of(error.failure), function, error.failure.reason.c_str());
  } catch (const std::bad_alloc&) {
    return fail(MOE_ERROR_OUT_OF_MEMORY, function, "the host has no memory left");
  } catch (const std::exception& error) {
    return fail(MOE_ERROR_INTERNAL, function, error.what());
  } catch (...) {
    return fail(MOE_ERROR_INTERNAL, function, "an unknown fault");
  }
}

template <class T>
T& require(T* pointer, const char* name) {
  if (pointer == nullptr) throw wrong(fmt::format("{} is null", name));
  return *pointer;
}

template <class T>
void check_size(const T& given, const char* name) {
  if (given.size != sizeof(T))
    throw wrong(fmt::format("{}->size is {} and has to be {}: begin with the initializer of this header's version",
                            name, given.size, sizeof(T)));
}

/// `value` as one of an enumeration.
template <class Enum, std::size_t N>
Enum read_enum(int value, const Enum (&values)[N], const char* name) {
  if (value < 0 || static_cast<std::size_t>(value) >= N)
    throw wrong(fmt::format("problem->{} is {}: it goes from 0 to {}", name, value, N - 1));
  return values[value];
}

Problem read_problem(const moe_problem& given) {
  check_size(given, "problem");
  constexpr DType kTypes[] = {DType::fp16, DType::bf16};
  constexpr Activation kKinds[] = {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::swigluoai};
  const bool b1 = given.has_b1 != 0, b2 = given.has_b2 != 0;
  Problem problem{.M = given.max_M,
                  .K = given.K,
                  .N1 = given.N1,
                  .N2 = given.N2,
                  .E = given.E,
                  .topk = given.topk,
                  .dtype = read_enum(given.dtype, kTypes, "dtype"),
                  .activation = read_enum(given.activation, kKinds, "activation"),
                  .bias = b1 && b2 ? Bias::both
                          : b1     ? Bias::b1
                          : b2     ? Bias::b2
                                   : Bias::none,
                  .weight_on_input = given.apply_router_weight_on_input != 0};
  constexpr std::int64_t kMostExperts = 1 << 16;
  if (given.global_E < 0 || given.global_E > kMostExperts)
    throw wrong(fmt::format("problem->global_E is {}: it goes from 1 to {}, or is 0 without expert maps",
                            given.global_E, kMostExperts));
  // Kernels look at a map where there is more than one rank: a map of one counts as if another had no experts.
  if (given.global_E > 0 && given.E > 0)
    problem.ep_ranks = std::max<std::int64_t>(2, (given.global_E + given.E - 1) / given.E);
  try {
    validate(problem);
  } catch (const Error& error) {
    throw wrong(fmt::format("problem: {}", error.what()));
  }
  return problem;
}

std::span<const Impl> impls_of(const moe_problem& given) {
  static constexpr Impl kMerged[] = {Impl::merged, Impl::merged_single}, kThreeKernel[] = {Impl::three_kernel};
  if (given.impl == MOE_MERGED) return kMerged;
  if (given.impl == MOE_THREE_KERNEL) return kThreeKernel;
  throw wrong(fmt::format("problem->impl is {}: it goes from 0 to 1", given.impl));
}

void check_tensor(const void* data, const char* name) {
  if (data == nullptr) throw wrong(fmt::format("arguments->{} is null", name));
  if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0)
    throw wrong(fmt::format("arguments->{} is not aligned to 16 bytes", name));
}

void check_bias(const void* data, bool wanted, const char* name) {
  if (wanted) return check_tensor(data, name);
  if (data != nullptr) throw wrong(fmt::format("arguments->{} is given and the plan's problem has no such bias", name));
}

void check_stride(std::int64_t stride, std::int64_t columns, const char* name) {
  constexpr std::int64_t kMost = 1 << 30;
  if (stride != 0 && (stride < columns || stride % 8 != 0 || stride > kMost))
    throw wrong(fmt::format("arguments->{} is {}: it has to be a multiple of 8 from {} to {}, or 0", name, stride,
                            columns, kMost));
}

void check_M(const Problem& problem, std::int64_t M, const char* name) {
  if (M < 0 || M > problem.M) throw wrong(fmt::format("{} is {}: the plan is for 0 to {} tokens", name, M, problem.M));
}

void check_call(const Plan& plan, const moe_arguments& call) {
  const Problem& problem = plan.problem();
  check_tensor(call.hidden_states, "hidden_states");
  check_stride(call.hidden_states_stride, problem.K, "hidden_states_stride");
  constexpr std::int64_t kMostPieces = 0xffffffff;  // of 16 bytes: what the kernels' offsets reach
  if (call.M * (call.hidden_states_stride / 8) > kMostPieces)
    throw wrong(fmt::format("arguments->hidden_states_stride is {}: with M = {} rows lie more than 2^35 elements apart",
                            call.hidden_states_stride, call.M));
  check_tensor(call.w1, "w1");
  check_tensor(call.w2, "w2");
  check_bias(call.b1, problem.has_b1(), "b1");
  check_bias(call.b2, problem.has_b2(), "b2");
  check_tensor(call.topk_weights, "topk_weights");
  check_tensor(call.topk_ids, "topk_ids");
  if (plan.has_expert_map()) check_tensor(call.expert_map, "expert_map");
  if (!plan.has_expert_map() && call.expert_map != nullptr)
    throw wrong("arguments->expert_map is given and the plan's problem has no global_E");
  check_tensor(call.out, "out");
  check_stride(call.out_stride, problem.N2, "out_stride");
  if (call.workspace == nullptr) throw wrong("arguments->workspace is null");
  if (const std::size_t needed = plan.workspace_size(call.M); call.workspace_size < needed)
    throw ApiError(MOE_ERROR_WORKSPACE, fmt::format("arguments->workspace_size is {}: M = {} needs {} bytes",
                                                    call.workspace_size, call.M, needed));
  if ((call.flags & ~MOE_CHECK_IDS) != 0)
    throw wrong(fmt::format("arguments->flags is {:#x}: no such flag", call.flags));
}

void check_ids(const Plan& plan, const moe_arguments& call) {
  const Problem& problem = plan.problem();
  const std::vector<std::int32_t> ids = plan.read_ids(call);
  const auto bad =
      std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id < 0 || id >= plan.nameable_experts(); });
  if (bad == ids.end()) return;
  const auto slot = bad - ids.begin();
  throw wrong(fmt::format("arguments->topk_ids[{}, {}] is {}: there are {} experts", slot / problem.topk,
                          slot % problem.topk, *bad, plan.nameable_experts()));
}

std::string describe(const Problem& problem, const Plan& plan, const DeviceInfo& device) {
  std::string text = fmt::format(
      "K={} N1={} N2={} E={}{} topk={} {} {}, up to {} tokens, on {} ({})\n", problem.K, problem.N1, problem.N2,
      problem.E, plan.has_expert_map() ? fmt::format(" of {}", plan.nameable_experts()) : "", problem.topk,
      to_string(problem.dtype), to_string(problem.activation), problem.M, device.name, device.id);
  for (const ConfigRange& range : plan.ranges())
    text += fmt::format("  M {}...{}  {}  ({})\n", range.from, range.to, to_label(range.config), range.why);
  return text;
}

}  // namespace
}  // namespace moetune

using namespace moetune;

extern "C" {

const char* moe_version(void) {
  return build_info().version.c_str();
}

const char* moe_error_message(void) {
  return last_message().c_str();
}

moe_status moe_context_open(const char* device, const char* configs, moe_context** context) {
  return guarded("moe_context_open", MOE_ERROR_ARGUMENT, [&] {
    moe_context*& opened = require(context, "context");
    const std::string_view id = &require(device, "device");
    try {
      opened = new moe_context{{id, configs != nullptr ? configs : ""}};
    } catch (const Error& error) {
      if (error.code() == ExitCode::no_device) throw;
      const bool is_of_device = id != "auto" && id != "cpu" && !id.starts_with("cuda");
      throw ApiError(is_of_device ? MOE_ERROR_ARGUMENT : MOE_ERROR_CONFIGS,
                     fmt::format("{}: {}", is_of_device ? "device" : "configs", error.what()));
    }
  });
}

void moe_context_close(moe_context* context) {
  delete context;
}

moe_status moe_supports(moe_context* context, const moe_problem* problem) {
  return guarded("moe_supports", MOE_ERROR_UNSUPPORTED, [&] {
    const moe_problem& given = require(problem, "problem");
    require(context, "context").context.first_choice(read_problem(given), impls_of(given));
  });
}

moe_status moe_plan_create(moe_context* context, const moe_problem* problem, moe_plan** plan) {
  return guarded("moe_plan_create", MOE_ERROR_COMPILE, [&] {
    Context& from = require(context, "context").context;
    moe_plan*& created = require(plan, "plan");
    const moe_problem& given = require(problem, "problem");
    const Problem wanted = read_problem(given);
    const std::span<const Impl> impls = impls_of(given);
    try {
      from.first_choice(wanted, impls);
    } catch (const Error& error) {
      throw ApiError(MOE_ERROR_UNSUPPORTED, error.what());
    }
    auto made = std::make_unique<moe_plan>();
    made->plan = from.load(wanted, given.global_E, from.choose(wanted, impls));
    made->description = describe(wanted, *made->plan, from.info());
    created = made.release();
  });
}

void moe_plan_destroy(moe_plan* plan) {
  delete plan;
}

moe_status moe_plan_workspace_size(const moe_plan* plan, int64_t M, size_t* bytes) {
  return guarded("moe_plan_workspace_size", MOE_ERROR_INTERNAL, [&] {
    const Plan& of = *require(plan, "plan").plan;
    check_M(of.problem(), M, "M");
    require(bytes, "bytes") = of.workspace_size(M);
  });
}

const char* moe_plan_describe(const moe_plan* plan) {
  return plan != nullptr ? plan->description.c_str() : "";
}

moe_status moe_run(const moe_plan* plan, const moe_arguments* arguments) {
  return guarded("moe_run", MOE_ERROR_INTERNAL, [&] {
    const Plan& of = *require(plan, "plan").plan;
    const moe_arguments& call = require(arguments, "arguments");
    check_size(call, "arguments");
    check_M(of.problem(), call.M, "arguments->M");
    if (call.M == 0) return;
    check_call(of, call);
    if ((call.flags & MOE_CHECK_IDS) != 0) check_ids(of, call);
    of.run(call);
  });
}

}  // extern "C"
