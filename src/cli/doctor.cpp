#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "backend/cuda/cuda_device.h"
#include "base/cache_directory.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/ceilings_cache.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/noise_floor.h"
#include "cli/output.h"
#include "jit/nvrtc.h"
#include "results/environment.h"

namespace moetune {
namespace {

void print_fact(std::string_view name, std::string_view text) {
  fmt::print("  {:<12} {}\n", name, text);
}

void tell(std::string_view line) {
  fmt::print(stderr, "{}\n", line);
}

class DoctorCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--device", device_, "Only this device: cpu, cuda:N (all)")->type_name("ID");
    app.add_flag("--measure", measure_, "Measure ceilings and noise anew, also where they are known");
    app.add_flag("--no-ceilings", no_ceilings_, "Measure nothing");
    app.footer(
        "Ceilings are what a device can do at most: streaming reads and dense 16-bit matrix products (CPU: fp32). They "
        "are\n"
        "measured once, kept in the cache folder ($MOETUNE_CACHE_DIR, else $XDG_CACHE_HOME/moe-tune, else\n"
        "~/.cache/moe-tune), and are what '% of roofline' refers to. So is the noise: by how much a config differs "
        "from\n"
        "itself when it is timed twice by turns. `tune` lets no config win over the default by less.\n"
        "Exit codes: 0 success, 2 something that is needed does not work, 77 no such GPU.");
  }

  int run(const Session&) override {
    const BuildInfo& build = build_info();
    fmt::print("moe-tune {} ({}, {})\n", build.version, build.git_revision, build.compiler);
    const Environment host = describe_environment({}, {}, {});
    fmt::print("host\n");
    print_fact("system", host.system);
    print_fact("processor", fmt::format("{}, {} threads, {:.1f} GiB", host.cpu, host.hardware_threads,
                                        static_cast<double>(host.memory_bytes) / (1 << 30)));
    check_cache();
    check_compiler();

    std::vector<std::string> ids;
    if (!device_.empty()) {
      ids.push_back(device_);
    } else {
      for (int i = 0; i < count_cuda_devices(); ++i) ids.push_back(fmt::format("cuda:{}", i));
      if (ids.empty()) explain_missing_gpu();
      ids.push_back("cpu");
    }
    for (const std::string& id : ids) show_device(*open_device(id));
    return exit_code_;
  }

 private:
  void check_cache() {
    const auto folder = cache_directory();
    try {
      make_writable_directory(folder);
      print_fact("cache", folder.string());
    } catch (const Error& error) {
      print_fact("cache", fmt::format("{}; set MOETUNE_CACHE_DIR to a folder of yours", error.what()));
      exit_code_ = static_cast<int>(ExitCode::usage);
    }
  }

  /// NVRTC needs no GPU; a GPU needs NVRTC.
  void check_compiler() {
    try {
      print_fact("nvrtc", fmt::format("{}: kernels for NVIDIA GPUs can be compiled", Nvrtc::instance().name()));
    } catch (const Error& error) {
      print_fact("nvrtc", fmt::format("not there ({}); only needed for NVIDIA GPUs", error.what()));
      if (count_cuda_devices() > 0) exit_code_ = static_cast<int>(ExitCode::usage);
    }
  }

  void explain_missing_gpu() {
    try {
      make_cuda_device(0);
    } catch (const Error& error) {
      fmt::print("no GPU\n");
      print_fact("why", error.what());
    }
  }

  void show_device(Device& device) {
    const DeviceInfo& info = device.info();
    fmt::print("{}\n", info.id);
    print_fact("name", info.name);
    if (!info.uuid.empty()) print_fact("uuid", info.uuid);
    if (info.backend == Backend::cuda)
      print_fact("capability",
                 fmt::format("{}.{}, {} SMs, {} KiB shared memory a block", info.compute_capability / 10,
                             info.compute_capability % 10, info.multiprocessors, info.shared_memory_per_block / 1024));
    else
      print_fact("threads", fmt::format("{}", info.multiprocessors));
    print_fact("memory", fmt::format("{:.1f} GiB, last-level cache {:.1f} MiB",
                                     static_cast<double>(info.memory_bytes) / (1 << 30),
                                     static_cast<double>(info.l2_bytes) / (1 << 20)));
    if (!info.driver.empty()) print_fact("driver", info.driver);
    print_fact("compiler", info.compiler);
    std::string names;
    for (const Engine* engine : engines_on(info)) names += fmt::format("{}{}", names.empty() ? "" : ", ", engine->name);
    print_fact("engines", names);
    if (no_ceilings_) return;
    const Ceilings ceilings = find_ceilings(device, measure_, tell);
    print_fact("ceilings", fmt::format("{:.1f} GB/s read, {:.2f} TFLOP/s ({})", ceilings.read_bytes_per_s * 1e-9,
                                       ceilings.matrix_flops_per_s * 1e-12, ceilings_cache(info).path().string()));
    show_noise_floor(device);
  }

  void show_noise_floor(Device& device) {
    try {
      const double floor = find_noise_floor(device, measure_, tell);
      print_fact("noise", fmt::format("one config differs from itself by up to {:.2f} % ({})", 100 * floor,
                                      noise_floor_cache(device.info()).path().string()));
    } catch (const Error& error) {
      print_fact("noise", fmt::format("not measured: {}", error.what()));
      exit_code_ = static_cast<int>(ExitCode::usage);
    }
  }

  std::string device_;
  bool measure_ = false, no_ceilings_ = false;
  int exit_code_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_doctor() {
  return std::make_unique<DoctorCommand>();
}

}  // namespace moetune
