#include "results/staleness.h"

#include <algorithm>

#include <fmt/format.h>

#include "kernel/engine.h"

namespace moetune {
namespace {

void compare_kernels(const std::string& engine, const BuildInfo& then, const BuildInfo& now,
                     std::vector<std::string>& reasons) {
  const auto old = then.kernels.find(engine);
  const auto current = now.kernels.find(engine);
  if (old != then.kernels.end()) {
    if (current != now.kernels.end() && old->second != current->second)
      reasons.push_back(fmt::format("the kernels of {} changed between moe-tune {} and {}", engine, then.git_revision,
                                    now.git_revision));
  } else if (then.git_revision != now.git_revision) {  // a record from before 1.2
    reasons.push_back(
        fmt::format("whether the kernels of {} are the same is not known: it is of moe-tune {}, this is {}", engine,
                    then.git_revision, now.git_revision));
  }
}

void check_legality(Stage stage, const StageConfig& config, const Problem& problem, const DeviceInfo& device,
                    std::vector<std::string>& reasons) {
  const auto table = engines();
  const auto engine =
      std::find_if(table.begin(), table.end(), [&](const Engine& each) { return each.name == config.engine; });
  if (engine == table.end()) {
    reasons.push_back(fmt::format("{}: this moe-tune has no engine '{}'", to_string(stage), config.engine));
  } else if (!runs_on(*engine, device)) {
    reasons.push_back(fmt::format("{}: {} does not run on {}", to_string(stage), config.engine, device.name));
  } else if (const auto why = engine->why_invalid(config.config, stage, problem, device)) {
    reasons.push_back(fmt::format("{}: {} is not legal: {}", to_string(stage), to_label(config), *why));
  }
}

}  // namespace

std::vector<std::string> why_stale(const Best& best, const Environment& then, const Environment& now) {
  std::vector<std::string> reasons;
  const auto compare = [&](std::string_view what, const auto& was, const auto& is) {
    if (was != is) reasons.push_back(fmt::format("{} was {} and is {}", what, was, is));
  };
  compare("the device", then.device.name, now.device.name);
  if (!reasons.empty()) return reasons;  // on another device all else is another too, which says nothing more
  compare("the compute capability", then.device.compute_capability, now.device.compute_capability);
  compare("the number of multiprocessors", then.device.multiprocessors, now.device.multiprocessors);
  compare("the driver", then.device.driver, now.device.driver);
  compare("the compiler of kernels", then.device.compiler, now.device.compiler);
  std::vector<std::string> checked;
  for (const auto& [stage, config] : best.config.stages) {
    if (std::find(checked.begin(), checked.end(), config.engine) == checked.end())
      compare_kernels(config.engine, then.build, now.build, reasons);
    checked.push_back(config.engine);
    check_legality(stage, config, best.problem, now.device, reasons);
  }
  return reasons;
}

}  // namespace moetune
