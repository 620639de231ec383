#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace moetune {

/// A percentage as a share. Throws Error naming the option where it is not from 0 to 100.
double percent(std::string_view name, double value);

/// What the options of a parsed subcommand are, given or by default: "--seed" -> "1"; those that are neither are not
/// there. `except` names options to leave out: "--out".
std::map<std::string, std::string> option_values(const CLI::App& app, std::span<const std::string_view> except);

}  // namespace moetune
