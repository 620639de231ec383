#include "cli/device_cache.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/cache_directory.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "results/json.h"

namespace moetune {
namespace {

std::string schema_of(std::string_view kind) {
  return fmt::format("moe-tune/{}", kind);
}

}  // namespace

DeviceCache::DeviceCache(std::string_view kind, const DeviceInfo& device) : kind_(kind), device_(device) {
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}", device.name, device.uuid, device.driver, device.compiler,
                                      device.multiprocessors);
  path_ = cache_directory() / kind_ / (Digest().add(key).hex() + ".json");
}

void DeviceCache::read(const std::function<void(const Field&)>& read) const {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return;
  try {
    const Origin origin{.file = path_.string(), .line = 0};
    const Json json = parse_json(read_file(path_), origin);
    const Field document(json, origin);
    check_schema(document, schema_of(kind_));
    read(document);
  } catch (const Error& damaged) {
    throw Error(fmt::format("{}; delete this file, or run `moe-tune doctor --measure`", damaged.what()));
  }
}

void DeviceCache::write(const Json& content, const std::function<void(std::string_view)>& note) const {
  Json json{{"schema", schema_of(kind_)}, {"schema_version", kSchemaVersion}, {"device", to_json(device_)}};
  json.update(content);
  try {
    write_file_atomically(path_, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const Error& error) {
    note(fmt::format("the {} will be measured again next time: {}", kind_, error.what()));
  }
}

}  // namespace moetune
