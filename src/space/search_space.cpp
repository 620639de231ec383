#include "space/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.h"

namespace moetune {
namespace {

using nlohmann::ordered_json;

int read_value(const ordered_json& value, std::string_view place) {
  if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > std::numeric_limits<int>::max())
    throw Error(fmt::format("{}: {} is not a whole number", place, value.dump()));
  return value.get<int>();
}

void sort_distinct(std::vector<int>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::string axis_names(const SearchSpace& space) {
  std::string names;
  for (const auto& axis : space.axes) names += (names.empty() ? "" : ", ") + axis.name;
  return names;
}

SearchSpace::Axis read_axis(const std::string& name, const ordered_json& values, std::string_view origin) {
  const std::string place = fmt::format("{}: axis '{}'", origin, name);
  if (name.empty()) throw Error(fmt::format("{}: an axis has no name", origin));
  if (!values.is_array() || values.empty()) throw Error(fmt::format("{}: expected a list of values to try", place));
  SearchSpace::Axis axis{.name = name, .values = {}};
  for (const ordered_json& value : values) axis.values.push_back(read_value(value, place));
  sort_distinct(axis.values);
  return axis;
}

/// A preset names every axis; its values need not be among those to try.
Config read_preset(const SearchSpace& space, const std::string& name, const ordered_json& values,
                   std::string_view origin) {
  const std::string place = fmt::format("{}: preset '{}'", origin, name);
  if (!values.is_object()) throw Error(fmt::format("{}: expected an object of axis: value", place));
  for (const auto& [key, value] : values.items())
    if (std::none_of(space.axes.begin(), space.axes.end(),
                     [&wanted = key](const auto& axis) { return axis.name == wanted; }))
      throw Error(fmt::format("{}: '{}' is no axis: use {}", place, key, axis_names(space)));
  Config preset;
  for (const auto& axis : space.axes) {
    if (!values.contains(axis.name)) throw Error(fmt::format("{}: '{}' is missing", place, axis.name));
    preset.set(axis.name, read_value(values[axis.name], place + ", " + axis.name));
  }
  return preset;
}

}  // namespace

std::uint64_t SearchSpace::size() const {
  std::uint64_t product = 1;
  for (const Axis& axis : axes) product *= axis.values.size();
  return product;
}

Config SearchSpace::at(std::uint64_t index) const {
  if (index >= size()) throw std::out_of_range(fmt::format("config {} of a space of {}", index, size()));
  std::vector<int> chosen(axes.size());
  for (std::size_t a = axes.size(); a-- > 0;) {
    chosen[a] = axes[a].values[index % axes[a].values.size()];
    index /= axes[a].values.size();
  }
  Config config;
  for (std::size_t a = 0; a < axes.size(); ++a) config.set(axes[a].name, chosen[a]);
  return config;
}

std::vector<Config> SearchSpace::neighbours(const Config& config) const {
  std::vector<Config> near;
  for (const Axis& axis : axes) {
    const int current = config.at(axis.name);
    const auto first_not_below = std::lower_bound(axis.values.begin(), axis.values.end(), current);
    const auto first_above = std::upper_bound(axis.values.begin(), axis.values.end(), current);
    const auto add = [&](int value) {
      near.push_back(config);
      near.back().set(axis.name, value);
    };
    if (first_not_below != axis.values.begin()) add(*(first_not_below - 1));
    if (first_above != axis.values.end()) add(*first_above);
  }
  return near;
}

SearchSpace parse_search_space(std::string_view text, std::string_view origin) {
  ordered_json document;
  try {
    document = ordered_json::parse(text);
  } catch (const ordered_json::parse_error& error) {
    throw Error(fmt::format("{}: not valid JSON near byte {}", origin, error.byte));
  }
  if (!document.is_object()) throw Error(fmt::format("{}: expected an object with 'engine' and 'axes'", origin));
  for (const auto& [key, value] : document.items())
    if (key != "$schema" && key != "engine" && key != "axes" && key != "presets")
      throw Error(fmt::format("{}: unknown key '{}': use engine, axes, presets", origin, key));
  if (!document.contains("engine") || !document["engine"].is_string() || document["engine"].get<std::string>().empty())
    throw Error(fmt::format("{}: 'engine' must be the name of an engine", origin));
  if (!document.contains("axes") || !document["axes"].is_object() || document["axes"].empty())
    throw Error(fmt::format("{}: 'axes' must be an object of axis: [values to try]", origin));

  SearchSpace space{.engine = document["engine"].get<std::string>(), .axes = {}, .presets = {}};
  for (const auto& [name, values] : document["axes"].items()) space.axes.push_back(read_axis(name, values, origin));
  if (document.contains("presets")) {
    if (!document["presets"].is_object()) throw Error(fmt::format("{}: 'presets' must be an object", origin));
    for (const auto& [name, values] : document["presets"].items())
      space.presets.emplace(name, read_preset(space, name, values, origin));
  }
  return space;
}

void restrict_axis(SearchSpace& space, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string_view name = assignment.substr(0, equals);
  const auto axis =
      std::find_if(space.axes.begin(), space.axes.end(), [&](const auto& each) { return each.name == name; });
  if (axis == space.axes.end())
    throw Error(
        fmt::format("'{}': unknown axis '{}' of engine {}: use {}", assignment, name, space.engine, axis_names(space)));
  if (equals == std::string_view::npos)
    throw Error(fmt::format("'{}' gives no values: use {}=V or {}=V,V", assignment, name, name));

  std::vector<int> values;
  std::string_view rest = assignment.substr(equals + 1);
  while (true) {
    const std::string_view word = rest.substr(0, rest.find(','));
    int value = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || stop != word.data() + word.size() || value < 0)
      throw Error(fmt::format("'{}': '{}' is not a whole number", assignment, word));
    values.push_back(value);
    if (word.size() == rest.size()) break;
    rest.remove_prefix(word.size() + 1);
  }
  sort_distinct(values);
  axis->values = std::move(values);
}

}  // namespace moetune
