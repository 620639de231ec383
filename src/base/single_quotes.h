#pragma once

#include <string>
#include <string_view>

namespace moetune {

/// The word as sh, bash and zsh read it back, whatever is in it: in single quotes.
std::string in_single_quotes(std::string_view word);

}  // namespace moetune
