#include "results/launch_configs.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <nlohmann/json.hpp>

#include "results/json_field.h"

namespace moetune {
namespace {

std::int64_t parse_m(const std::string& key, const Field& value) {
  std::int64_t m = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), m);
  if (error != std::errc() || end != key.data() + key.size() || m < 1)
    value.fail("is no number of tokens: the file maps M to the launch parameters of a kernel");
  return m;
}

}  // namespace

std::vector<std::pair<std::int64_t, Config>> parse_launch_configs(std::string_view text, std::string_view origin_name) {
  const Origin origin{.file = std::string(origin_name), .line = 0};
  const Json json = parse_json(text, origin);
  std::vector<std::pair<std::int64_t, Config>> configs;
  for (const auto& [key, entry] : Field(json, origin).members()) {
    if (key == "triton_version") continue;
    const std::int64_t m = parse_m(key, entry);
    if (std::any_of(configs.begin(), configs.end(), [m](const auto& other) { return other.first == m; }))
      entry.fail("stands there twice");
    Config config;
    for (const auto& [name, value] : entry.members())
      config.set(name, value.is_boolean() ? int{value.boolean()} : value.small_integer());
    configs.emplace_back(m, std::move(config));
  }
  return configs;
}

}  // namespace moetune
