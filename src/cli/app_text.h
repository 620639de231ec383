#pragma once

#include <string_view>

#include "shell/command_text.h"

namespace CLI {
class App;
}

namespace moetune {

/// What `app` and its subcommands say of themselves in --help, and the values that their options are known to take.
CommandText app_text(const CLI::App& app);

}  // namespace moetune
