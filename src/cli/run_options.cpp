#include "cli/run_options.h"

#include <algorithm>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/axis.h"
#include "results/names.h"

namespace moetune {

void DeviceOptions::add_to(CLI::App& app, std::string_view more) {
  app.add_option("--device", id, fmt::format("auto (the GPU where there is one, else the CPU), cpu, cuda:N{}", more))
      ->group("Device")
      ->type_name("ID")
      ->capture_default_str();
}

std::unique_ptr<Device> DeviceOptions::open(bool quiet) const {
  auto device = open_device(id);
  tell_choice(device->info(), quiet);
  return device;
}

void DeviceOptions::tell_choice(const DeviceInfo& chosen, bool quiet) const {
  if (id == "auto" && !quiet)
    fmt::print(stderr, "device: {} ({}){}\n", chosen.name, chosen.id,
               chosen.backend == Backend::cpu ? ", as there is no usable GPU; `moe-tune doctor` says why" : "");
}

void add_seed_option(CLI::App& app, std::uint64_t& seed) {
  app.add_option("--seed", seed, "Seed of data, routing and search")
      ->group("Measuring")
      ->type_name("N")
      ->capture_default_str()
      // CLI11 would wrap a negative one round.
      ->check(
          [](const std::string& text) { return text.starts_with('-') ? "--seed must be 0 or more" : std::string(); });
}

void TimingFlags::add_to(CLI::App& app) {
  const std::string group = "Measuring";
  add_seed_option(app, seed);
  app.add_option("--cache", cache,
                 "cold: what a sample touches is out of the caches before it; warm: they are left as they are")
      ->group(group)
      ->type_name("STATE")
      ->capture_default_str();
  app.add_option("--launch", launch, "graph: the pipeline is replayed as a CUDA graph; stream: kernel by kernel")
      ->group(group)
      ->type_name("MODE")
      ->capture_default_str();
  app.add_option("--load", load,
                 "What is reported, and chooses the winner, is taken: lasting: after 0.2 s of load by the same "
                 "pipeline, at the clocks that last; replays: after 0.2 s of reading memory, up to 200 replays within "
                 "0.2 s, as kernel benchmarks usually do")
      ->group(group)
      ->type_name("STATE")
      ->capture_default_str();
  app.add_option("--routing-draws", routing_draws, "Draws of a random routing that samples are taken over by turns")
      ->group(group)
      ->type_name("N")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
}

TimingOptions TimingFlags::timing() const {
  return {.cache = parse_cache_state(cache),
          .launch = parse_launch_mode(launch),
          .load = parse_load_state(load),
          .routing_draws = routing_draws};
}

void ImplOptions::add_to(CLI::App& app) {
  app.add_option("--impl", names,
                 "Implementations, of three_kernel, merged, and merged_single: merged with both GEMMs in one kernel")
      ->group("Problems")
      ->type_name("LIST")
      ->capture_default_str();
}

std::vector<Impl> ImplOptions::impls() const {
  std::vector<Impl> impls;
  for (const std::string_view name : split_list("--impl", names)) {
    const Impl impl = parse_impl(name);
    if (std::find(impls.begin(), impls.end(), impl) == impls.end()) impls.push_back(impl);
  }
  std::sort(impls.begin(), impls.end());
  return impls;
}

}  // namespace moetune
