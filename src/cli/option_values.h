#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace moetune {

/// What the options of a parsed subcommand are, given or by default: "--seed" -> "1"; those that are neither are not
/// there. `except` names options to leave out: "--out".
std::map<std::string, std::string> option_values(const CLI::App& app, std::span<const std::string_view> except);

}  // namespace moetune
