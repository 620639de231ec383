#include "cli/ceilings_cache.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/cache_directory.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "results/json.h"

namespace moetune {
namespace {

constexpr std::string_view kSchema = "moe-tune/ceilings";

}  // namespace

std::filesystem::path ceilings_path(const DeviceInfo& device) {
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}", device.name, device.uuid, device.driver, device.compiler,
                                      device.multiprocessors);
  return cache_directory() / "ceilings" / (Digest().add(key).hex() + ".json");
}

std::optional<Ceilings> cached_ceilings(const DeviceInfo& device) {
  const auto path = ceilings_path(device);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  try {
    const Origin origin{.file = path.string(), .line = 0};
    const Json json = parse_json(read_file(path), origin);
    const Field document(json, origin);
    check_schema(document, kSchema);
    const Ceilings ceilings = read_ceilings(document.at("ceilings"));
    if (!(ceilings.read_bytes_per_s > 0) || !(ceilings.matrix_flops_per_s > 0))
      document.at("ceilings").fail("must be above 0");
    return ceilings;
  } catch (const Error& damaged) {
    throw Error(fmt::format("{}; delete this file, or run `moe-tune doctor --measure`", damaged.what()));
  }
}

Ceilings find_ceilings(Device& device, bool again, const std::function<void(std::string_view)>& note) {
  if (!again) {
    if (const auto cached = cached_ceilings(device.info())) return *cached;
  }
  note(fmt::format("measuring what {} can do at most (once)", device.info().name));
  const Ceilings ceilings = device.measure_ceilings();
  const Json json{{"schema", kSchema},
                  {"schema_version", kSchemaVersion},
                  {"device", to_json(device.info())},
                  {"ceilings", to_json(ceilings)}};
  try {
    write_file_atomically(ceilings_path(device.info()),
                          json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const Error& error) {
    note(fmt::format("the ceilings will be measured again next time: {}", error.what()));
  }
  return ceilings;
}

}  // namespace moetune
