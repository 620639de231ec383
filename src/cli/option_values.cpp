#include "cli/option_values.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/error.h"

namespace moetune {

double percent(std::string_view name, double value) {
  if (!std::isfinite(value) || value < 0 || value >= 100)
    throw Error(fmt::format("{} {}: a percentage from 0 to 100 was expected", name, value));
  return value / 100;
}

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
