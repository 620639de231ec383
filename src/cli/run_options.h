// The options that say where and how pipelines are run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/device.h"

namespace CLI {
class App;
}

namespace moetune {

/// --device
struct DeviceOptions {
  std::string id = "auto";

  /// `more`: what the subcommand takes besides.
  void add_to(CLI::App& app, std::string_view more = "");
  /// Opens it. `auto` is said on stderr, with what was chosen, unless `quiet`.
  std::unique_ptr<Device> open(bool quiet) const;
  /// What open() says of `auto`.
  void tell_choice(const DeviceInfo& chosen, bool quiet) const;
};

/// --seed
void add_seed_option(CLI::App& app, std::uint64_t& seed);

/// --seed, --cache, --launch, --load, --routing-draws
struct TimingFlags {
  std::uint64_t seed = 1;
  std::string cache = "cold", launch = "graph", load = "lasting";
  int routing_draws = 3;

  void add_to(CLI::App& app);
  TimingOptions timing() const;  ///< throws Error
};

/// --impl: comma list
struct ImplOptions {
  std::string names = "three_kernel,merged";

  void add_to(CLI::App& app);
  std::vector<Impl> impls() const;  ///< throws Error
};

}  // namespace moetune
