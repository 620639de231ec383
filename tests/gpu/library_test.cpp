// libmoetune on the GPU: every engine through best-config files made for it, on workspaces full of rubbish.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "backend/cuda/gpu.h"
#include "gpu/gpu.h"
#include "kernel/engine.h"
#include "library/call.h"
#include "results/best_file.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

using testing::Guarded;
using testing::HostCall;
using testing::MadePlan;
using testing::OpenContext;

cuda::Gpu& shared_gpu() {
  static cuda::Gpu made(0);
  made.use();
  return made;
}

/// A call whose tensors, bands included, have a copy on the GPU.
class DeviceCall {
 public:
  explicit DeviceCall(HostCall& host) : host_(host) {
    shared_gpu().use();
    upload();
  }

  moe_arguments arguments(cuda::Stream stream) {
    moe_arguments call = host_.arguments();
    call.hidden_states = at(hidden_), call.w1 = at(w1_), call.w2 = at(w2_);
    call.b1 = call.b1 != nullptr ? at(b1_) : nullptr;
    call.b2 = call.b2 != nullptr ? at(b2_) : nullptr;
    call.topk_ids = static_cast<const std::int32_t*>(at(ids_));
    call.topk_weights = static_cast<const float*>(at(weights_));
    call.expert_map = call.expert_map != nullptr ? static_cast<const std::int32_t*>(at(map_)) : nullptr;
    call.out = at(out_), call.workspace = at(workspace_);
    call.stream = stream;
    return call;
  }

  void upload_routing() {
    copy(host_.topk_ids, ids_);
    copy(host_.topk_weights, weights_);
    copy(host_.out, out_);
  }

  /// Once the stream is done: everything back to the host.
  void download() {
    for (const auto& [framed, buffer] : all()) buffer->download(framed);
  }

 private:
  using Pair = std::pair<std::span<unsigned char>, cuda::Buffer*>;

  std::vector<Pair> all() {
    return {{host_.hidden.framed(), &hidden_},
            {host_.w1.framed(), &w1_},
            {host_.b1.framed(), &b1_},
            {host_.w2.framed(), &w2_},
            {host_.b2.framed(), &b2_},
            {host_.topk_ids.framed(), &ids_},
            {host_.out.framed(), &out_},
            {host_.topk_weights.framed(), &weights_},
            {host_.workspace.framed(), &workspace_},
            {host_.expert_map.framed(), &map_}};
  }
  void upload() {
    for (const auto& [framed, buffer] : all()) {
      *buffer = cuda::Buffer(shared_gpu().driver(), framed.size());
      buffer->upload(std::span<const unsigned char>(framed));
    }
  }
  template <class T>
  static void copy(Guarded<T>& from, cuda::Buffer& to) {
    to.upload(std::span<const unsigned char>(from.framed()));
  }
  static void* at(const cuda::Buffer& buffer) {
    return reinterpret_cast<void*>(buffer.address() + Guarded<char>::kBand);
  }

  HostCall& host_;
  cuda::Buffer hidden_, w1_, b1_, w2_, b2_, ids_, weights_, map_, out_, workspace_;
};

/// A stream of its own.
class OwnStream {
 public:
  OwnStream() { EXPECT_EQ(shared_gpu().driver().stream_create(&stream_, cuda::kStreamNonBlocking), 0); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;
  ~OwnStream() { shared_gpu().driver().stream_destroy(stream_); }
  operator cuda::Stream() const { return stream_; }
  void wait() const { EXPECT_EQ(shared_gpu().driver().stream_synchronize(stream_), 0); }

 private:
  cuda::Stream stream_ = nullptr;
};

StageConfig config(const char* engine, std::initializer_list<int> values) {
  const Engine& of = find_engine(engine);
  StageConfig result{.engine = engine, .config = {}};
  auto value = values.begin();
  for (const std::string_view name : of.parameters) result.config.set(name, *value++);
  return result;
}

/// Pipelines of every engine the GPU has: clusters, dynamic tiles, tokens in order, split sums, the fused sums, both
/// GEMMs in one kernel.
std::vector<PipelineConfig> pipelines() {
  std::vector<PipelineConfig> all;
  const auto add = [&](const StageConfig& gate, const StageConfig& final) {
    all.push_back({.impl = Impl::merged, .stages = {{Stage::gate, gate}, {Stage::final, final}}});
    all.push_back({.impl = Impl::three_kernel, .stages = {{Stage::gemm1, gate}, {Stage::final, final}}});
  };
  const StageConfig mma = config("mma", {16, 64, 64, 1, 4, 4});
  add(mma, config("mma", {64, 128, 32, 8, 4, 3}));
  if (shared_gpu().info().compute_capability != 90) return all;
  add(config("wgmma", {128, 256, 64, 2, 4, 2, 2, 1, 0, 1, 0, 1, 1}),
      config("wgmma", {64, 128, 64, 1, 4, 1, 1, 2, 0, 1, 1, 0, 1}));
  add(config("wgmma_swap_ab", {16, 64, 64, 1, 4, 1, 1, 2, 1, 1, 0, 0, 2}),
      config("wgmma_swap_ab", {32, 128, 64, 1, 4, 1, 1, 2, 0, 0, 0, 0, 2}));
  add(mma, config("wgmma_swap_ab", {8, 64, 128, 1, 5, 1, 1, 2, 1, 1, 1, 0, 1}));
  add(config("wgmma_swap_ab", {160, 256, 64, 8, 4, 2, 2, 1, 0, 1, 0, 0, 1}),
      config("wgmma", {128, 256, 64, 8, 4, 2, 2, 1, 0, 1, 2, 0, 1}));
  for (const StageConfig& both : {config("wgmma", {128, 128, 64, 1, 4, 2, 1, 1, 0, 0, 0, 0, 1}),
                                  config("wgmma_swap_ab", {32, 128, 64, 1, 4, 1, 1, 2, 0, 0, 0, 0, 1})})
    all.push_back({.impl = Impl::merged_single, .stages = {{Stage::mlp, both}}});
  return all;
}

/// A folder with one best config.
struct ConfigFolder : TemporaryFolder {
  ConfigFolder(const Problem& problem, const PipelineConfig& pipeline) {
    BestFile file{.best = sample_best(pipeline.impl), .environment = sample_environment()};
    file.best.problem = problem;
    file.best.config = pipeline;
    file.environment.device = shared_gpu().info();
    write_best_file(path(), file);
  }
};

Problem small() {
  return {.M = 33, .K = 200, .N1 = 2 * 136, .N2 = 264, .E = 24, .topk = 3};
}

moe_impl impl_of(const PipelineConfig& pipeline) {
  return pipeline.impl == Impl::three_kernel ? MOE_THREE_KERNEL : MOE_MERGED;
}

/// A plan of this pipeline for calls of up to the problem's M.
struct PlanOf {
  PlanOf(const Problem& problem, const PipelineConfig& pipeline)
      : folder(problem, pipeline),
        context("cuda:0", folder.path().c_str()),
        plan(context, testing::api_problem(problem, impl_of(pipeline))) {}

  const ConfigFolder folder;
  const OpenContext context;
  const MadePlan plan;
};

void expect_right_output(HostCall& host, Impl impl) {
  const Verdict verdict = host.judge(impl);
  EXPECT_TRUE(verdict.passed) << verdict.reason;
  EXPECT_TRUE(host.is_intact());
}

/// Runs on a workspace full of rubbish, then again with another routing on what that left.
void expect_right(const Problem& most, const PipelineConfig& pipeline, const std::vector<std::int64_t>& tokens,
                  std::int64_t hidden_stride = 0, std::int64_t out_stride = 0) {
  const PlanOf made(most, pipeline);
  const MadePlan& plan = made.plan;
  ASSERT_NE(std::string(moe_plan_describe(plan)).find(to_label(pipeline)), std::string::npos)
      << moe_plan_describe(plan);
  const OwnStream stream;
  for (const std::int64_t M : tokens) {
    Problem problem = most;
    problem.M = M;
    SCOPED_TRACE(to_line(problem) + " " + to_label(pipeline));
    HostCall host(problem, {}, plan.workspace_size(M), hidden_stride, out_stride);
    DeviceCall device(host);
    const moe_arguments call = device.arguments(stream);
    for (int draw = 0; draw < 2; ++draw) {
      host.set_routing(make_routing(problem, {}, draw));
      host.poison();
      device.upload_routing();
      ASSERT_EQ(moe_run(plan, &call), MOE_OK) << moe_error_message();
      stream.wait();
      device.download();
      expect_right_output(host, pipeline.impl);
    }
  }
}

TEST(Library, EveryEngineOnAnyWorkspace) {
  MOETUNE_NEEDS_GPU();
  for (const PipelineConfig& pipeline : pipelines()) expect_right(small(), pipeline, {1, 2, 3, 17, 33});
}

TEST(Library, ManySlots) {
  MOETUNE_NEEDS_GPU();
  Problem problem = small();
  problem.M = 6000, problem.K = 64, problem.N1 = 64, problem.N2 = 64;  // 18000 slots: counted by a kernel of its own
  for (const PipelineConfig& pipeline : pipelines())
    if (std::none_of(pipeline.stages.begin(), pipeline.stages.end(), [](const auto& stage) {
          return stage.second.config.find("SPLIT_K").value_or(1) > 1;  // of one block of K
        }))
      expect_right(problem, pipeline, {6000});
}

TEST(Library, EveryVariantOfTheProblem) {
  MOETUNE_NEEDS_GPU();
  const PipelineConfig pipeline = pipelines()[shared_gpu().info().compute_capability == 90 ? 2 : 0];
  for (const DType dtype : kDTypes)
    for (const Activation activation : kActivations) {
      Problem problem = small();
      problem.dtype = dtype, problem.activation = activation, problem.bias = Bias::both;
      problem.weight_on_input = activation == Activation::gelu;
      expect_right(problem, pipeline, {2, 33});
    }
}

TEST(Library, RowsMayLieApart) {
  MOETUNE_NEEDS_GPU();
  for (const PipelineConfig& pipeline : pipelines()) expect_right(small(), pipeline, {1, 33}, 256, 1032);
}

// Nobody may write an output before all have read the input.
TEST(Library, OutMayBeHiddenStates) {
  MOETUNE_NEEDS_GPU();
  Problem problem{.M = 1000, .K = 512, .N1 = 512, .N2 = 512, .E = 24, .topk = 3};
  for (const PipelineConfig& pipeline : pipelines())
    for (const std::int64_t M : {1, 1000}) {
      problem.M = M;
      SCOPED_TRACE(to_line(problem) + " " + to_label(pipeline));
      const PlanOf made(problem, pipeline);
      const MadePlan& plan = made.plan;
      HostCall host(problem, {}, plan.workspace_size(M));
      DeviceCall device(host);
      const OwnStream stream;
      moe_arguments call = device.arguments(stream);
      call.out = const_cast<void*>(call.hidden_states);
      ASSERT_EQ(moe_run(plan, &call), MOE_OK) << moe_error_message();
      stream.wait();
      device.download();
      std::copy(host.hidden.values().begin(), host.hidden.values().end(), host.out.data());
      expect_right_output(host, pipeline.impl);
    }
}

TEST(Library, ExpertsThatLiveElsewhere) {
  MOETUNE_NEEDS_GPU();
  Problem problem = small();
  problem.ep_ranks = 3, problem.ep_rank = 1, problem.bias = Bias::both;
  for (const PipelineConfig& pipeline : pipelines()) expect_right(problem, pipeline, {1, 2, 33});
}

TEST(Library, IdsOfNoExpertChooseNothing) {
  MOETUNE_NEEDS_GPU();
  for (const PipelineConfig& pipeline : pipelines())
    for (const std::int64_t M : {2, 33}) {
      Problem problem = small();
      problem.M = M;
      SCOPED_TRACE(to_line(problem) + " " + to_label(pipeline));
      const PlanOf made(problem, pipeline);
      const MadePlan& plan = made.plan;
      HostCall stray(problem, {}, plan.workspace_size(M)), weightless(problem, {}, plan.workspace_size(M));
      for (std::size_t slot = 0; slot < stray.topk_ids.size(); slot += 2) {
        weightless.topk_weights.data()[slot] = 0;
        stray.topk_ids.data()[slot] = slot % 4 == 0 ? -1 : slot % 3 == 0 ? 24 : 1 << 30;
      }
      for (HostCall* host : {&stray, &weightless}) {
        DeviceCall device(*host);
        const moe_arguments call = device.arguments(shared_gpu().stream());
        ASSERT_EQ(moe_run(plan, &call), MOE_OK) << moe_error_message();
        shared_gpu().wait();
        device.download();
        EXPECT_TRUE(host->is_intact());
      }
      for (std::size_t i = 0; i < stray.out.size(); ++i)
        ASSERT_EQ(from_bits(problem.dtype, stray.out.data()[i]), from_bits(problem.dtype, weightless.out.data()[i]))
            << i;
    }
}

TEST(Library, GuessesWork) {
  MOETUNE_NEEDS_GPU();
  const OpenContext context("cuda:0");
  Problem most = small();
  most.M = 500;
  const MadePlan plan(context, testing::api_problem(most));
  const OwnStream stream;
  for (const std::int64_t M : {1, 5, 40, 500}) {
    Problem problem = most;
    problem.M = M;
    HostCall host(problem, {}, plan.workspace_size(M));
    DeviceCall device(host);
    const moe_arguments call = device.arguments(stream);
    ASSERT_EQ(moe_run(plan, &call), MOE_OK) << moe_error_message();
    stream.wait();
    device.download();
    expect_right_output(host, Impl::merged);
  }
}

TEST(Library, ACapturedGraphStaysRightWhenRoutingChanges) {
  MOETUNE_NEEDS_GPU();
  const cuda::Driver& driver = shared_gpu().driver();
  for (const PipelineConfig& pipeline : pipelines())
    for (const std::int64_t M : {2, 33}) {
      Problem problem = small();
      problem.M = M;
      SCOPED_TRACE(to_line(problem) + " " + to_label(pipeline));
      const PlanOf made(problem, pipeline);
      const MadePlan& plan = made.plan;
      HostCall host(problem, {}, plan.workspace_size(M));
      DeviceCall device(host);
      const OwnStream stream;
      const moe_arguments call = device.arguments(stream);
      ASSERT_EQ(driver.capture_begin(stream, cuda::kCaptureThreadLocal), 0);
      EXPECT_EQ(moe_run(plan, &call), MOE_OK) << moe_error_message();
      cuda::Graph graph = nullptr;
      ASSERT_EQ(driver.capture_end(stream, &graph), 0);
      const cuda::ReadyGraph ready(driver, graph);
      for (int draw = 0; draw < 4; ++draw) {
        if (draw == 3) problem.routing.kind = RoutingSpec::Kind::one_expert;
        host.set_routing(make_routing(problem, {}, draw));
        host.poison();
        device.upload_routing();
        ready.launch(stream);
        ready.launch(stream);
        stream.wait();
        device.download();
        expect_right_output(host, pipeline.impl);
      }
    }
}

TEST(Library, ThreadsAtOnce) {
  MOETUNE_NEEDS_GPU();
  const ConfigFolder folder(small(), pipelines().back());
  const OpenContext context("cuda:0", folder.path().c_str());
  const MadePlan shared(context, testing::api_problem(small()));
  std::vector<std::string> failures(2);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < failures.size(); ++t)
    threads.emplace_back([&, t] {
      shared_gpu().use();
      const OwnStream stream;
      HostCall host(small(), {.seed = t + 1}, shared.workspace_size(small().M));
      DeviceCall device(host);
      const moe_arguments call = device.arguments(stream);
      for (int i = 0; i < 50; ++i) {
        if (moe_run(shared, &call) != MOE_OK) failures[t] = moe_error_message();
        stream.wait();
        if (i % 10 != 0) continue;
        device.download();
        if (const Verdict verdict = host.judge(Impl::merged); !verdict.passed) failures[t] = verdict.reason;
        if (!host.is_intact()) failures[t] = "wrote into a band";
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

TEST(Library, TheThreadsContextIsLeftAsItWas) {
  MOETUNE_NEEDS_GPU();
  const OpenContext context("cuda:0");
  const MadePlan plan(context, testing::api_problem(small()));
  HostCall host(small(), {}, plan.workspace_size(small().M));
  DeviceCall device(host);
  const moe_arguments call = device.arguments(shared_gpu().stream());
  const cuda::Driver& driver = shared_gpu().driver();
  std::thread([&] {  // a thread without any context
    EXPECT_EQ(moe_run(plan, &call), MOE_OK) << moe_error_message();
    cuda::Context now = nullptr;
    EXPECT_EQ(driver.context_get_current(&now), 0);
    EXPECT_EQ(now, nullptr);
  })
      .join();
  shared_gpu().wait();
  device.download();
  EXPECT_TRUE(host.judge(Impl::merged).passed);
}

/// Of a call: 12 us of the host's time are wanted, with weights of 48 layers by turns. A launch alone takes 2.5 to 3.8
/// us on the machine that this was written on, so that four of them do not fit.
TEST(Library, ACallCostsTheHostLittle) {
  MOETUNE_NEEDS_GPU();
  for (const PipelineConfig& pipeline : pipelines()) {
    if (pipeline.impl == Impl::three_kernel) continue;
    const ConfigFolder folder(small(), pipeline);
    const OpenContext context("cuda:0", folder.path().c_str());
    const MadePlan plan(context, testing::api_problem(small()));
    HostCall host(small(), {}, plan.workspace_size(small().M));
    DeviceCall device(host);
    moe_arguments call = device.arguments(shared_gpu().stream());
    constexpr std::size_t kLayers = 48;
    std::vector<cuda::Buffer> layers;
    for (std::size_t i = 0; i < kLayers; ++i)
      layers.emplace_back(shared_gpu().driver(), host.w1.size() * sizeof(std::uint16_t));
    std::vector<double> us;
    for (int i = 0; i < 20; ++i) {
      const auto start = std::chrono::steady_clock::now();
      for (const cuda::Buffer& w1 : layers) {
        call.w1 = reinterpret_cast<const void*>(w1.address());
        ASSERT_EQ(moe_run(plan, &call), MOE_OK);
      }
      const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
      us.push_back(took.count() / kLayers);
      shared_gpu().wait();  // a full queue would be what is timed
    }
    std::nth_element(us.begin(), us.begin() + 10, us.end());
    fmt::print("{}: {:.2f} us\n", to_label(pipeline), us[10]);
    EXPECT_LE(us[10], 20);
  }
}

}  // namespace
}  // namespace moetune
