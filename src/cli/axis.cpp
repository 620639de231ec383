#include "cli/axis.h"

#include <charconv>
#include <unordered_set>

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {
namespace {

/// A typing slip such as 1:1000000:1 should not start a week of work.
constexpr std::size_t kMaxValues = 10000;

[[noreturn]] void fail(std::string_view name, std::string_view part, std::string_view what) {
  throw Error(
      fmt::format("{} '{}': {}; give values (1,2,4), a range with both ends (1024:4096:1024) or powers of two "
                  "(pow2:0:12)",
                  name, part, what));
}

std::int64_t parse_integer(std::string_view name, std::string_view part, std::string_view word) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    fail(name, part, fmt::format("'{}' is no integer", word));
  return value;
}

std::vector<std::int64_t> parse_part(std::string_view name, std::string_view part) {
  std::vector<std::string_view> words;
  for (std::string_view rest = part;;) {
    const auto colon = rest.find(':');
    words.push_back(rest.substr(0, colon));
    if (colon == rest.npos) break;
    rest = rest.substr(colon + 1);
  }
  std::vector<std::int64_t> values;
  if (words.size() == 1) {
    values.push_back(parse_integer(name, part, words[0]));
  } else if (words[0] == "pow2") {
    if (words.size() != 3) fail(name, part, "powers of two need a first and a last exponent");
    const std::int64_t first = parse_integer(name, part, words[1]);
    const std::int64_t last = parse_integer(name, part, words[2]);
    if (first < 0 || last > 62 || first > last) fail(name, part, "exponents run upwards from 0 to at most 62");
    for (std::int64_t exponent = first; exponent <= last; ++exponent) values.push_back(std::int64_t{1} << exponent);
  } else {
    if (words.size() != 3) fail(name, part, "a range needs a first value, a last value and a step");
    const std::int64_t first = parse_integer(name, part, words[0]);
    const std::int64_t last = parse_integer(name, part, words[1]);
    const std::int64_t step = parse_integer(name, part, words[2]);
    if (step <= 0 || first < 0 || first > last) fail(name, part, "a range runs upwards by a step above 0");
    if ((last - first) / step >= static_cast<std::int64_t>(kMaxValues))
      fail(name, part, fmt::format("more than {} values", kMaxValues));
    for (std::int64_t value = first; value <= last; value += step) {
      values.push_back(value);
      if (value > last - step) break;  // the next would be past the end, or past what 64 bits hold
    }
  }
  return values;
}

}  // namespace

std::vector<std::string_view> split_list(std::string_view name, std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    parts.push_back(rest.substr(0, comma));
    if (parts.back().empty()) throw Error(fmt::format("{} '{}': a value is empty", name, text));
    if (comma == rest.npos) return parts;
    rest = rest.substr(comma + 1);
  }
}

std::vector<std::int64_t> parse_axis(std::string_view name, std::string_view text, std::int64_t least) {
  std::vector<std::int64_t> values;
  std::unordered_set<std::int64_t> seen;
  for (const std::string_view part : split_list(name, text)) {
    for (const std::int64_t value : parse_part(name, part)) {
      if (value < least) fail(name, part, fmt::format("values must be {} or more", least));
      if (seen.insert(value).second) values.push_back(value);
    }
  }
  return values;
}

}  // namespace moetune
