// For libFuzzer: every other mutation leaves the input valid JSON (or one of its lines, as in a journal) and changes
// one value of it, which bytes changed at random hardly ever do.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

using Json = nlohmann::ordered_json;
using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t end) {
  return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

/// What readers stumble over.
Json remarkable_value(Random& random) {
  static const Json kValues[] = {nullptr,
                                 true,
                                 false,
                                 "",
                                 "nan",
                                 "-inf",
                                 "a\nb|<c>",
                                 0,
                                 1,
                                 -1,
                                 7,
                                 0.5,
                                 -0.0,
                                 1e308,
                                 5e-324,
                                 2147483647,
                                 1e19,
                                 "1.9",
                                 "2.0",
                                 "mma",
                                 std::numeric_limits<std::int64_t>::min(),
                                 "skipped",
                                 2147483648ll,
                                 "ok",
                                 "cpu",
                                 "gate",
                                 "none",
                                 std::numeric_limits<std::uint64_t>::max(),
                                 Json::array(),
                                 Json::object()};
  return kValues[below(random, std::size(kValues))];
}

void collect(Json& value, std::vector<Json*>& values) {
  values.push_back(&value);
  if (value.is_structured())
    for (Json& each : value) collect(each, values);
}

void change(Json& document, Random& random) {
  std::vector<Json*> values;
  collect(document, values);
  Json& value = *values[below(random, values.size())];
  const std::size_t kind = below(random, 5);
  if (kind == 0 && value.is_structured() && !value.empty()) {
    value.erase(std::next(value.begin(), static_cast<std::ptrdiff_t>(below(random, value.size()))));
  } else if (kind == 1 && value.is_array() && !value.empty()) {
    const Json copy = value[below(random, value.size())];
    value.push_back(copy);
  } else if (kind == 2) {
    const Json copy = *values[below(random, values.size())];
    if (values.size() + copy.size() < 10000) value = copy;
  } else if (kind == 3 && value.is_object()) {
    value["another"] = remarkable_value(random);
  } else {
    value = remarkable_value(random);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned int seed) {
  Random random(seed);
  if (below(random, 2) == 0) return LLVMFuzzerMutate(data, size, most);
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::size_t begin = 0, end = size;
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) {  // a line of it then
    const std::size_t at = below(random, size + 1);
    begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
    end = std::min(text.find('\n', at), size);
    document = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                           text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (document.is_discarded()) return LLVMFuzzerMutate(data, size, most);
  }
  change(document, random);
  const std::string changed =
      text.substr(0, begin) + document.dump(-1, ' ', false, Json::error_handler_t::replace) + text.substr(end);
  if (changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::copy(changed.begin(), changed.end(), data);
  return changed.size();
}
