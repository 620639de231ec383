#include "backend/cuda/gpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/error.h"
#include "jit/nvrtc.h"

namespace moetune::cuda {
namespace {

const Driver& require_driver() {
  const auto& driver = Driver::instance();
  if (!driver) throw Error(driver.failure().reason, ExitCode::no_device);
  return *driver.value();
}

std::string uuid_text(const unsigned char (&bytes)[16]) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; i++)
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
  return text;
}

}  // namespace

Gpu::Gpu(int index, std::shared_ptr<ProgramCompiler> compiler) : driver_(require_driver()) {
  const Driver& d = driver_;
  int count = 0;
  d.check(d.device_count(&count), "counting GPUs");
  if (index >= count)
    throw Error(
        fmt::format("there is no GPU cuda:{}: this machine shows {} (CUDA_VISIBLE_DEVICES hides GPUs)", index, count),
        ExitCode::no_device);
  int device = 0;
  d.check(d.device_get(&device, index), "opening the GPU");
  device_ = device;

  char name[256] = {};
  unsigned char uuid[16] = {};
  std::size_t memory = 0;
  int version = 0;
  d.check(d.device_name(name, sizeof name, device), "naming the GPU");
  d.check(d.device_uuid(uuid, device), "identifying the GPU");
  d.check(d.device_memory(&memory, device), "reading the GPU's memory size");
  d.check(d.driver_version(&version), "reading the driver's version");
  const auto attribute = [&](Attribute which) {
    int value = 0;
    d.check(d.device_attribute(&value, static_cast<int>(which), device), "reading a GPU attribute");
    return value;
  };
  info_ = {.backend = Backend::cuda,
           .id = fmt::format("cuda:{}", index),
           .name = name,
           .uuid = uuid_text(uuid),
           .compute_capability =
               10 * attribute(Attribute::compute_capability_major) + attribute(Attribute::compute_capability_minor),
           .multiprocessors = attribute(Attribute::multiprocessor_count),
           .l2_bytes = attribute(Attribute::l2_cache_size),
           .memory_bytes = static_cast<std::int64_t>(memory),
           .shared_memory_per_block = attribute(Attribute::max_shared_memory_per_block_optin),
           .shared_memory_per_multiprocessor = attribute(Attribute::max_shared_memory_per_multiprocessor),
           .registers_per_multiprocessor = attribute(Attribute::max_registers_per_multiprocessor),
           .driver = fmt::format("{}.{}", version / 1000, version % 1000 / 10),
           .compiler = Nvrtc::instance().name()};
  if (info_.compute_capability < 80)
    throw Error(fmt::format("{} has compute capability {}.{}: moe-tune's kernels need 8.0 or later; use --device cpu",
                            info_.name, info_.compute_capability / 10, info_.compute_capability % 10),
                ExitCode::no_device);

  d.check(d.primary_context_retain(&context_, device), "opening a context on the GPU");
  use();
  d.check(d.stream_create(&stream_, kStreamNonBlocking), "creating a stream");
  compiler_ = std::make_unique<KernelCompiler>(info_.compute_capability, std::move(compiler));
  timers_ = std::make_unique<Timers>(d);
}

Gpu::~Gpu() {
  if (context_ == nullptr) return;
  Context before = nullptr;
  driver_.context_get_current(&before);
  driver_.context_set_current(context_);
  for (const auto& [source, module] : modules_) driver_.module_unload(module);
  timers_.reset();
  flush_buffer_ = Buffer();
  sink_ = Buffer();
  if (stream_ != nullptr) driver_.stream_destroy(stream_);
  if (before != context_) driver_.context_set_current(before);
  driver_.primary_context_release(device_);
}

std::int64_t Gpu::free_bytes() const {
  std::size_t free = 0, total = 0;
  driver_.check(driver_.memory_info(&free, &total), "reading the free memory");
  return static_cast<std::int64_t>(free);
}

bool Gpu::is_lost() const {
  return driver_.context_set_current(context_) != 0 || driver_.stream_synchronize(stream_) != 0;
}

void Gpu::use() const {
  driver_.check(driver_.context_set_current(context_), "selecting the GPU's context");
}

Function Gpu::load(const KernelSource& source, const std::string& entry, int shared_bytes) {
  auto found = modules_.find(source);
  if (found == modules_.end()) {
    const auto kernel = compiler_->compile(source);
    if (!kernel) throw DeviceError{kernel.failure()};
    Module module = nullptr;
    driver_.check(driver_.module_load(&module, kernel.value().cubin.data()), "loading a kernel");
    found = modules_.emplace(source, module).first;
  }
  Function function = nullptr;
  driver_.check(driver_.module_function(&function, found->second, entry.c_str()), "finding a kernel");
  constexpr int kWithoutAsking = 48 * 1024;
  int& most = shared_bytes_.try_emplace(function, kWithoutAsking).first->second;
  if (shared_bytes > most) {
    driver_.check(driver_.function_set_attribute(function, kMaxDynamicSharedSize, shared_bytes),
                  "reserving shared memory");
    most = shared_bytes;
  }
  return function;
}

TensorMap Gpu::tensor_map(DType dtype, DevicePointer address, const TensorShape& shape) const {
  const std::vector<unsigned> box(shape.box.begin(), shape.box.end()), dense(box.size(), 1);
  TensorMap map;
  driver_.check(driver_.encode_tensor_map(
                    &map, dtype == DType::bf16 ? kTensorBfloat16 : kTensorFloat16, static_cast<unsigned>(box.size()),
                    address, shape.sizes.data(), shape.strides.data(), box.data(), dense.data(), 0,
                    box.front() == 64 ? kTensorSwizzle128 : kTensorSwizzle64, kTensorPromotion256, 0),
                "describing a tensor");
  return map;
}

void Gpu::enqueue(const Launch& launch, Stream stream) const {
  std::array<LaunchAttribute, 2> attributes;
  unsigned count = 0;
  if (launch.overlaps_predecessor && info_.compute_capability >= 90) {
    attributes[count].id = kProgrammaticStreamSerialization;
    attributes[count++].value.programmatic_stream_serialization = 1;
  }
  if (launch.cluster > 1) {
    attributes[count].id = kClusterDimension;
    attributes[count].value.cluster_dimension[0] = launch.cluster;
    attributes[count].value.cluster_dimension[1] = attributes[count].value.cluster_dimension[2] = 1;
    count++;
  }
  const LaunchConfig config{.grid_x = launch.grid,
                            .block_x = launch.block,
                            .shared_bytes = launch.shared_bytes,
                            .stream = stream,
                            .attributes = attributes.data(),
                            .attribute_count = count};
  void* parameter = const_cast<char*>(launch.arguments.data());
  driver_.check(driver_.launch(&config, launch.function, &parameter, nullptr), "launching a kernel");
}

ReadyGraph Gpu::record(const std::function<void()>& enqueue_all) const {
  Graph graph = nullptr;
  driver_.check(driver_.capture_begin(stream_, kCaptureThreadLocal), "recording a graph");
  try {
    enqueue_all();
  } catch (...) {
    if (driver_.capture_end(stream_, &graph) == 0 && graph != nullptr) driver_.graph_destroy(graph);
    throw;
  }
  driver_.check(driver_.capture_end(stream_, &graph), "recording a graph");
  return ReadyGraph(driver_, graph);
}

void Gpu::wait() const {
  driver_.check(driver_.stream_synchronize(stream_), "running on the GPU");
}

void Gpu::prepare_flush() {
  const std::int64_t bytes = std::max<std::int64_t>(256ll << 20, 3 * info_.l2_bytes) / 16 * 16;
  flush_buffer_ = Buffer(driver_, static_cast<std::size_t>(bytes));
  sink_ = Buffer(driver_, 64);
  driver_.check(driver_.fill_8_async(flush_buffer_.address(), 0x5a, flush_buffer_.bytes(), stream_),
                "filling the flush buffer");
  flush_ = {.function = load({.path = "kernels/data/kernel.cu", .defines = {}}, "read_memory"),
            .grid = static_cast<unsigned>(info_.multiprocessors * 4),
            .block = 512};
  flush_.set_arguments(
      ReadArguments{.in = flush_buffer_.as<void>(), .count = bytes / 16, .sink = sink_.as<unsigned>()});
  wait();
}

void Gpu::flush_cache() {
  enqueue(flush_);
}

void Gpu::read_memory(double seconds) {
  constexpr int kAtOnce = 16;  // 1 ms or so: long beside the wait for them
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < kAtOnce; i++) flush_cache();
    wait();
  }
}

std::vector<double> Gpu::time(int n, const std::function<void()>& before, const std::function<void()>& work) {
  for (int i = 0; i < n; i++) {
    const auto [begin, end] = timers_->pair(static_cast<std::size_t>(i));
    before();
    driver_.check(driver_.event_record(begin, stream_), "recording an event");
    work();
    driver_.check(driver_.event_record(end, stream_), "recording an event");
  }
  wait();
  std::vector<double> us;
  for (int i = 0; i < n; i++) {
    const auto [begin, end] = timers_->pair(static_cast<std::size_t>(i));
    float ms = 0;
    driver_.check(driver_.event_elapsed(&ms, begin, end), "reading an event");
    us.push_back(1e3 * static_cast<double>(ms));
  }
  return us;
}

}  // namespace moetune::cuda
