#pragma once

#include <span>
#include <string>
#include <string_view>

namespace moetune {

/// " (did you mean 'x' or 'y'?)" with the names that are a few letters from `name` or begin with it, or nothing.
std::string suggest(std::string_view name, std::span<const std::string> names);

}  // namespace moetune
