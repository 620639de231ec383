// moe-tune whose devices can be planted with calamities, and which has the fake device and its engine too. Three
// functions of the libraries are defined here, so that the linker does not look for theirs. What $MOETUNE_PLANTED
// holds, separated by blanks:
//   final=fake:BLOCK_SIZE_M=64,BLOCK_SIZE_N=64,num_warps=4=crash    hang, exhaust_memory, break_device likewise
//   pace=MS                                                         each run takes so long
//   times=by_M                                                      the fake device's best BLOCK_SIZE_M is 16 for M of
//                                                                   1 and 2, 32 up to 6, else 64
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "backend/cuda/gpu.h"
#include "backend/fake/fake_device.h"
#include "backend/fake/fake_engine.h"
#include "base/error.h"
#include "base/resources.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "kernel/cpu.h"
#include "kernel/mma.h"
#include "kernel/wgmma.h"
#include "kernels/lib/arguments.h"
#include "planted/planted_device.h"
#include "results/repro.h"

namespace moetune {
namespace {

Calamity parse_calamity(std::string_view name) {
  for (const auto& [known, calamity] :
       {std::pair{"crash", Calamity::crash}, std::pair{"hang", Calamity::hang},
        std::pair{"exhaust_memory", Calamity::exhaust_memory}, std::pair{"break_device", Calamity::break_device}})
    if (name == known) return calamity;
  throw Error(fmt::format("MOETUNE_PLANTED: unknown calamity '{}'", name));
}

Planted planted() {
  Planted result;
  const char* text = std::getenv("MOETUNE_PLANTED");
  std::string_view rest = text == nullptr ? "" : text;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const auto equals = word.rfind('=');
    const std::string_view value = word.substr(equals + 1);
    if (word.starts_with("times=")) continue;
    if (word.starts_with("pace=")) {
      int ms = 0;
      std::from_chars(value.data(), value.data() + value.size(), ms);
      result.pace = std::chrono::milliseconds(ms);
    } else {
      result.calamities.emplace(parse_stage_argument(word.substr(0, equals)), parse_calamity(value));
    }
  }
  return result;
}

/// A bowl with ups and downs, so that what is found depends on the way there; no two configs are alike.
std::optional<double> rugged_us(Stage stage, const StageConfig& config) {
  if (!is_tunable(stage)) return 5;
  double steps = 0, phase = static_cast<double>(stage);
  for (const auto& [name, value] : config.config.values()) {
    steps += std::abs(std::log2(value) - 4);
    phase = 3 * phase + std::log2(value);
  }
  return 100 * (1 + 0.1 * steps) * (1 + 0.2 * std::sin(1.7 * phase));
}

/// The fake device is 20 % slower for each step of two from the best BLOCK_SIZE_M, whatever the rest of the config.
TimeModel times_by_M(const Problem& problem) {
  const double best = problem.M <= 2 ? 16 : problem.M <= 6 ? 32 : 64;
  return [best](Stage stage, const StageConfig& config) -> std::optional<double> {
    if (!is_tunable(stage)) return 5;
    return 100 * (1 + 0.2 * std::abs(std::log2(config.config.at("BLOCK_SIZE_M") / best)));
  };
}

bool has_times_by_M() {
  const char* text = std::getenv("MOETUNE_PLANTED");
  return text != nullptr && std::string_view(text).find("times=by_M") != std::string_view::npos;
}

/// A fake device with an id of its own.
class NumberedFake final : public FakeDevice {
 public:
  NumberedFake(std::string_view id, FakeSpec spec) : FakeDevice(std::move(spec)), info_(FakeDevice::info()) {
    info_.id = id;
  }
  const DeviceInfo& info() const override { return info_; }

 private:
  DeviceInfo info_;
};

std::unique_ptr<Device> open_fake(std::string_view id, Planted planted) {
  FakeSpec spec{.time_us = rugged_us};
  if (has_times_by_M()) spec.time_us_of = times_by_M;
  for (const auto& [config, calamity] : planted.calamities)
    if (calamity == Calamity::break_device) spec.faults.emplace(config, Fault::sticky_fault);
  return plant(std::make_unique<NumberedFake>(id, std::move(spec)), std::move(planted), [] {});
}

void read_wild_address(int gpu_index) {
  cuda::Gpu gpu(gpu_index);
  cuda::Launch wild{.function = gpu.load({.path = "kernels/data/kernel.cu", .defines = {}}, "read_memory"),
                    .block = 32};
  wild.set_arguments(ReadArguments{.in = reinterpret_cast<const void*>(0x10), .count = 1, .sink = nullptr});
  gpu.enqueue(wild);
  try {
    gpu.wait();
  } catch (const cuda::DeviceError&) {  // the context is gone, as it should be
  }
}

}  // namespace

std::unique_ptr<Device> open_device(std::string_view id, std::shared_ptr<ProgramCompiler> compiler) {
  if (id == "cpu") return plant(make_cpu_device(), planted(), [] { throw Error("the CPU cannot be broken"); });
  if (id == "cuda:0") return plant(make_cuda_device(0, std::move(compiler)), planted(), [] { read_wild_address(0); });
  if (id == "fake" || id.starts_with("fake:")) return open_fake(id, planted());
  throw Error(fmt::format("unknown device '{}'", id));
}

std::span<const Engine> engines() {
  static const std::array<Engine, 5> table{fake_engine(), wgmma_engine(), wgmma_swap_ab_engine(), mma_engine(),
                                           cpu_engine()};
  return table;
}

SearchSpace search_space_of(const Engine& engine) {
  if (engine.backend == Backend::fake) return fake_search_space();
  const std::string path = fmt::format("search_spaces/{}.json", engine.name);
  return parse_search_space(resource(path), path);
}

}  // namespace moetune

int main(int argc, char** argv) {
  return moetune::run_command_line(argc, argv);
}
