#include "cli/option_values.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

namespace moetune {

std::map<std::string, std::string> option_values(const CLI::App& app, std::span<const std::string_view> except) {
  std::map<std::string, std::string> values;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (std::find(except.begin(), except.end(), name) != except.end()) continue;
    const std::string value =
        option->count() > 0 ? fmt::format("{}", fmt::join(option->results(), " ")) : option->get_default_str();
    if (!value.empty()) values.emplace(name, value);
  }
  return values;
}

}  // namespace moetune
