#include "results/environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace moetune {
namespace {

/// The value after `separator` on the first line of `path` that begins with `key`; quotes and blanks around it dropped.
std::string find_in_file(const char* path, std::string_view key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto at = line.find(separator);
    if (at == std::string::npos) continue;
    const auto begin = line.find_first_not_of(" \t\"", at + 1);
    const auto end = line.find_last_not_of(" \t\"");
    if (begin != std::string::npos) return line.substr(begin, end - begin + 1);
  }
  return {};
}

std::string system_name() {
  utsname name{};
  if (uname(&name) != 0) return "unknown";
  const std::string kernel = fmt::format("{} {}", name.sysname, name.machine);
  const std::string distribution = find_in_file("/etc/os-release", "PRETTY_NAME", '=');
  return distribution.empty() ? kernel : distribution + ", " + kernel;
}

}  // namespace

std::string host_cpu_name() {
  std::string name = find_in_file("/proc/cpuinfo", "model name", ':');
  if (!name.empty()) return name;
  utsname system{};
  return uname(&system) == 0 ? system.machine : "unknown";
}

Environment describe_environment(const DeviceInfo& device, const Ceilings& ceilings, std::vector<std::string> command) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return {
      .build = build_info(),
      .created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now)),
      .system = system_name(),
      .cpu = host_cpu_name(),
      .hardware_threads = static_cast<int>(std::thread::hardware_concurrency()),
      .memory_bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE),
      .device = device,
      .ceilings = ceilings,
      .command = std::move(command),
  };
}

}  // namespace moetune
