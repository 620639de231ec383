#include "cli/noise_floor.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "cli/verified_workload.h"
#include "measure/sampler.h"

namespace moetune {
namespace {

constexpr int kRounds = 7;

/// Takes some hundred µs on a GPU, some ms on a CPU.
Problem usual_problem(const DeviceInfo& device) {
  if (device.backend == Backend::cuda) return {.M = 256, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
  return {.M = 16, .K = 512, .N1 = 1024, .N2 = 512, .E = 8, .topk = 2};
}

double measure_noise_floor(Device& device) {
  const Problem problem = usual_problem(device.info());
  VerifiedWorkload workload(device, problem, {.fill = Fill::random, .seed = 1});
  const PipelineConfig config = complete_config(problem, Impl::merged, {}, device.info(), engines_on(device.info()));
  std::array<std::unique_ptr<Pipeline>, 2> pipelines;
  std::vector<Candidate> candidates;
  for (std::unique_ptr<Pipeline>& pipeline : pipelines) {
    auto built = workload.build(config);
    if (!built) throw Error(fmt::format("{}: {}", to_label(config), built.failure().reason));
    pipeline = std::move(built.value());
    const Result<Verified> verified = workload.verify(*pipeline, config.impl).result;
    if (!verified) throw Error(fmt::format("{}: {}", to_label(config), verified.failure().reason));
    candidates.push_back({.pipeline = verified.value()});
  }
  const auto measured = sample(candidates, kRounds, finals(device.settle_seconds()), {.timing = {}});
  for (const Result<Measurement>& each : measured)
    if (!each) throw Error(fmt::format("{}: {}", to_label(config), each.failure().reason));
  const Ratio ratio = speedup(measured[0].value().round_medians(), measured[1].value().round_medians());
  return std::max(ratio.high - 1, 1 - ratio.low);
}

}  // namespace

DeviceCache noise_floor_cache(const DeviceInfo& device) {
  return {"noise", device};
}

std::optional<double> cached_noise_floor(const DeviceInfo& device) {
  std::optional<double> floor;
  noise_floor_cache(device).read([&](const Field& document) {
    floor = document.at("noise_floor").finite();
    if (*floor < 0) document.at("noise_floor").fail("must not be below 0");
  });
  return floor;
}

double find_noise_floor(Device& device, bool again, const std::function<void(std::string_view)>& note) {
  if (!again) {
    if (const auto cached = cached_noise_floor(device.info())) return *cached;
  }
  note(fmt::format("measuring by how much one config differs from itself on {} (once)", device.info().name));
  const double floor = measure_noise_floor(device);
  noise_floor_cache(device.info()).write({{"noise_floor", floor}}, note);
  return floor;
}

}  // namespace moetune
