#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace moetune {

/// The values of an axis: "1,2,4"; "1024:4096:1024" (first, last, step; both ends are taken); "pow2:0:12" (2^0 … 2^12);
/// or several of these, "1,2,pow2:4:6". In the order given, each once. Throws Error naming the axis and the part, also for values below `least`.
std::vector<std::int64_t> parse_axis(std::string_view name, std::string_view text, std::int64_t least = 1);

/// "a,b,c" -> {a, b, c}. Throws Error for an empty part.
std::vector<std::string_view> split_list(std::string_view name, std::string_view text);

}  // namespace moetune
