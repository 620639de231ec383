#include "cli/ceilings_cache.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "results/json.h"

namespace moetune {

DeviceCache ceilings_cache(const DeviceInfo& device) {
  return {"ceilings", device};
}

std::optional<Ceilings> cached_ceilings(const DeviceInfo& device) {
  std::optional<Ceilings> ceilings;
  ceilings_cache(device).read([&](const Field& document) {
    ceilings = read_ceilings(document.at("ceilings"));
    if (!(ceilings->read_bytes_per_s > 0) || !(ceilings->matrix_flops_per_s > 0))
      document.at("ceilings").fail("must be above 0");
  });
  return ceilings;
}

Ceilings find_ceilings(Device& device, bool again, const std::function<void(std::string_view)>& note) {
  if (!again) {
    if (const auto cached = cached_ceilings(device.info())) return *cached;
  }
  note(fmt::format("measuring what {} can do at most (once)", device.info().name));
  const Ceilings ceilings = device.measure_ceilings();
  ceilings_cache(device.info()).write({{"ceilings", to_json(ceilings)}}, note);
  return ceilings;
}

}  // namespace moetune
