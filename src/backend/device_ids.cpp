#include "backend/device_ids.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "backend/cuda/cuda_device.h"
#include "base/error.h"

namespace moetune {

std::vector<std::string> device_ids(std::string_view list) {
  if (list == "cuda:all") {
    std::vector<std::string> ids;
    for (int i = 0; i < count_cuda_devices(); ++i) ids.push_back(fmt::format("cuda:{}", i));
    if (ids.empty())
      throw Error("--device cuda:all: the driver shows no GPU; `moe-tune doctor` says why", ExitCode::no_device);
    return ids;
  }
  std::vector<std::string> ids;
  std::string kind;  // of the one before
  for (std::string_view rest = list;;) {
    const auto comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const auto colon = item.find(':');
    const bool is_number = !item.empty() && item.find_first_not_of("0123456789") == item.npos;
    std::string id = is_number && !kind.empty() ? fmt::format("{}:{}", kind, item) : std::string(item);
    if (colon != item.npos) kind = item.substr(0, colon);
    if (std::find(ids.begin(), ids.end(), id) != ids.end())
      throw Error(fmt::format("--device {}: {} is named twice", list, id));
    ids.push_back(std::move(id));
    if (comma == rest.npos) return ids;
    rest.remove_prefix(comma + 1);
  }
}

DevicePlace parse_device_id(std::string_view id) {
  if (id == "cpu") return {.backend = Backend::cpu};
  if (id == "auto") return {.backend = count_cuda_devices() > 0 ? Backend::cuda : Backend::cpu};
  if (id == "cuda") return {.backend = Backend::cuda};
  constexpr std::string_view kPrefix = "cuda:";
  if (id.starts_with(kPrefix)) {
    const std::string_view digits = id.substr(kPrefix.size());
    int index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error == std::errc() && end == digits.data() + digits.size() && index >= 0)
      return {.backend = Backend::cuda, .index = index};
  }
  throw Error(fmt::format("unknown device '{}': give auto, cpu or cuda:N", id));
}

}  // namespace moetune
