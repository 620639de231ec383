#pragma once

#include <string>
#include <string_view>

namespace moetune {

/// Text for XML and HTML, in attributes too.
std::string escape_markup(std::string_view text);

}  // namespace moetune
