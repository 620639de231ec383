#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "problem/device_info.h"

namespace moetune {

/// What this binary was built from.
struct BuildInfo {
  std::string version;       ///< "0.1.0"
  std::string git_revision;  ///< "9742f5485a1c", with "+changes" where the sources differed from it, or "unknown"
  std::string compiler;      ///< "GNU 12.2.0 Release"
  /// Engine -> digest of the sources of its kernels: 16 digits. Empty in records from before 1.2.
  std::map<std::string, std::string> kernels{};

  bool operator==(const BuildInfo&) const = default;
};

const BuildInfo& build_info();

/// Where and how a run's records came about.
struct Environment {
  BuildInfo build;
  std::string created;  ///< when the run began, UTC: "2025-01-31T12:00:00Z"
  std::string system;   ///< "Debian GNU/Linux 12 (bookworm), Linux 6.1.0-18-amd64 x86_64"
  std::string cpu;      ///< the host's processor
  int hardware_threads = 0;
  std::int64_t memory_bytes = 0;  ///< the host's
  DeviceInfo device;
  Ceilings ceilings;
  std::vector<std::string> command;  ///< the command line of the run

  bool operator==(const Environment&) const = default;
};

/// Looks around. Costs a few file reads.
Environment describe_environment(const DeviceInfo& device, const Ceilings& ceilings, std::vector<std::string> command);

/// The host's processor by name, or its architecture where the name is not to be had.
std::string host_cpu_name();

}  // namespace moetune
