#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moetune {

/// How a process ended.
struct Ended {
  int exit_code = 0;
  int signal = 0;      ///< that ended it; 0 where it ended by itself
  std::string errors;  ///< what it wrote to stderr

  bool operator==(const Ended&) const = default;
};

/// Runs a program and waits for it. Its stdin and stdout are /dev/null. `command` has the program first: a path, or a
/// name to look for in $PATH. Throws Error where it cannot be started.
Ended run_process(const std::vector<std::string>& command);

/// The path of the program that this process runs.
std::filesystem::path own_executable();

}  // namespace moetune
