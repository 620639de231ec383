#include "backend/cpu/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "kernels/cpu/instruction_set.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

/// What the kernel's files lack is assumed: a mid-sized last-level cache, and no bound on memory but the allocator's.
constexpr std::int64_t kAssumedCache = std::int64_t{32} << 20;
constexpr std::int64_t kAssumedMemory = std::numeric_limits<std::int64_t>::max();

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// "32768K" or "123"; nothing for "max" and other words.
std::optional<std::int64_t> parse_size(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  if (end != text.data() + text.size()) {
    if (*end == 'K') value <<= 10;
    if (*end == 'M') value <<= 20;
  }
  return value;
}

/// The number after `key` in a file of "key value" lines, such as /proc/meminfo.
std::optional<std::int64_t> field(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t number = line.find_first_of("0123456789", key.size());
    if (number != std::string::npos)
      return parse_size(std::string_view(line).substr(number, line.find(' ', number) - number));
  }
  return std::nullopt;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && colon + 2 < line.size()) return line.substr(colon + 2);
  }
  return fmt::format("{} processor", cpu::instruction_set());  // arm64 kernels give no name
}

/// All last-level caches together: on many-chiplet processors there is one for each group of cores.
std::int64_t last_level_cache() {
  std::map<int, std::map<std::string, std::int64_t>> sizes;  // level -> the cores that share a cache -> bytes
  std::error_code ignored;
  for (const auto& core : fs::directory_iterator("/sys/devices/system/cpu", ignored)) {
    if (!fs::exists(core.path() / "cache/index0/level", ignored)) continue;
    for (const auto& cache : fs::directory_iterator(core.path() / "cache", ignored)) {
      const auto level = parse_size(first_line(cache.path() / "level"));
      const auto size = parse_size(first_line(cache.path() / "size"));
      if (level && size) sizes[static_cast<int>(*level)][first_line(cache.path() / "shared_cpu_list")] = *size;
    }
  }
  if (sizes.empty()) return kAssumedCache;
  std::int64_t total = 0;
  for (const auto& [cores, size] : sizes.rbegin()->second) total += size;
  return total > 0 ? total : kAssumedCache;
}

constexpr const char* kGroupLimit = "/sys/fs/cgroup/memory.max";

}  // namespace

DeviceInfo describe_machine() {
  std::int64_t memory = kAssumedMemory;
  if (const auto total = field("/proc/meminfo", "MemTotal:")) memory = *total * 1024;
  if (const auto limit = parse_size(first_line(kGroupLimit))) memory = std::min(memory, *limit);
  DeviceInfo info;
  info.backend = Backend::cpu;
  info.id = "cpu";
  info.name = processor_name();
  info.multiprocessors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  info.l2_bytes = last_level_cache();
  info.memory_bytes = memory;
#if defined(__clang__)
  info.compiler = fmt::format("clang {}.{} {}", __clang_major__, __clang_minor__, cpu::instruction_set());
#else
  info.compiler = fmt::format("gcc {}.{} {}", __GNUC__, __GNUC_MINOR__, cpu::instruction_set());
#endif
  return info;
}

std::int64_t available_memory() {
  std::int64_t available = kAssumedMemory;
  if (const auto free = field("/proc/meminfo", "MemAvailable:")) available = *free * 1024;
  const auto limit = parse_size(first_line(kGroupLimit));
  const auto used = parse_size(first_line("/sys/fs/cgroup/memory.current"));
  if (limit && used) {
    const std::int64_t cached =
        field("/sys/fs/cgroup/memory.stat", "inactive_file").value_or(0);  // given back on demand
    available = std::min(available, std::max<std::int64_t>(0, *limit - *used + cached));
  }
  return available;
}

}  // namespace moetune
