// The same text for shells and for man. Each is a pure function in a file of its own.
#pragma once

#include <string>

#include "shell/command_text.h"

namespace moetune {

// Scripts to source, or to put where the shell looks for completions.
std::string bash_completion(const CommandText& program);
std::string zsh_completion(const CommandText& program);
std::string fish_completion(const CommandText& program);

/// The manual page in roff, section 1. `version` is for its foot: "moe-tune 0.1.0".
std::string man_page(const CommandText& program, const std::string& version);

}  // namespace moetune
