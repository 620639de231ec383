#include "cli/output.h"

#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"

namespace moetune {

void warn(std::string_view line) {
  std::fflush(stdout);
  fmt::print(stderr, "moe-tune: {}\n", line);
}

void write_output(const std::string& target, std::string_view text) {
  if (target != "-") return write_file_atomically(target, text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(fmt::format("cannot write to stdout: {}", std::strerror(errno)));
}

std::filesystem::path default_results_folder(const DeviceInfo& device) {
  std::string name;
  for (const char c : device.name) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return std::filesystem::path("moe-tune-results") / (name.empty() ? "device" : name);
}

bool stdout_takes_colours() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0') && terminal != nullptr &&
         std::strcmp(terminal, "dumb") != 0;
}

}  // namespace moetune
