#include "base/error.h"

#include <algorithm>

namespace moetune {
namespace {

std::string printable(std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return message;
}

}  // namespace

Error::Error(std::string message, ExitCode code) : std::runtime_error(printable(std::move(message))), code_(code) {}

}  // namespace moetune
