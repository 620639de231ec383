#include "results/json_field.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace moetune {

std::string to_string(const Origin& origin) {
  return origin.line > 0 ? fmt::format("{}:{}", origin.file, origin.line) : origin.file;
}

Json parse_json(std::string_view text, const Origin& origin) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view before = text.substr(0, std::min(error.byte > 0 ? error.byte - 1 : 0, text.size()));
    const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const auto column = before.size() - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    if (origin.line > 0) throw Error(fmt::format("{}: no valid JSON (column {})", to_string(origin), column));
    throw Error(fmt::format("{}:{}: no valid JSON (column {})", origin.file, line, column));
  } catch (const nlohmann::json::out_of_range&) {
    throw Error(fmt::format("{}: a number is larger than 1e308", to_string(origin)));
  }
}

Field::Field(const Json& value, const Origin& origin, std::string path)
    : value_(&value), origin_(&origin), path_(std::move(path)) {}

std::optional<Field> Field::find(std::string_view key) const {
  if (!value_->is_object()) fail_type("an object");
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return Field(*found, *origin_, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key));
}

Field Field::at(std::string_view key) const {
  if (auto found = find(key)) return *std::move(found);
  throw Error(fmt::format("{}: '{}{}{}' is missing", to_string(*origin_), path_, path_.empty() ? "" : ".", key));
}

std::vector<std::pair<std::string, Field>> Field::members() const {
  if (!value_->is_object()) fail_type("an object");
  std::vector<std::pair<std::string, Field>> all;
  for (const auto& [key, value] : value_->items())
    all.emplace_back(key, Field(value, *origin_, path_.empty() ? key : path_ + "." + key));
  return all;
}

std::vector<Field> Field::elements() const {
  if (!value_->is_array()) fail_type("an array");
  std::vector<Field> all;
  for (std::size_t i = 0; i < value_->size(); ++i)
    all.emplace_back((*value_)[i], *origin_, fmt::format("{}[{}]", path_, i));
  return all;
}

std::int64_t Field::integer() const {
  if (!value_->is_number_integer()) fail_type("an integer");
  if (value_->is_number_unsigned() && value_->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    fail_type("an integer below 2^63");
  return value_->get<std::int64_t>();
}

std::uint64_t Field::unsigned_integer() const {
  if (!value_->is_number_integer() || (!value_->is_number_unsigned() && value_->get<std::int64_t>() < 0))
    fail_type("an integer of 0 or more");
  return value_->get<std::uint64_t>();
}

int Field::small_integer() const {
  const std::int64_t value = integer();
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max())
    fail_type("an integer below 2^31");
  return static_cast<int>(value);
}

double Field::number() const {
  if (value_->is_number()) return value_->get<double>();
  if (value_->is_string()) {
    const auto& word = value_->get_ref<const std::string&>();
    if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (word == "inf") return std::numeric_limits<double>::infinity();
    if (word == "-inf") return -std::numeric_limits<double>::infinity();
  }
  fail_type("a number");
}

double Field::finite() const {
  const double value = number();
  if (!std::isfinite(value)) fail_type("a finite number");
  return value;
}

bool Field::is_boolean() const {
  return value_->is_boolean();
}

bool Field::boolean() const {
  if (!is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

std::string Field::text() const {
  if (!value_->is_string()) fail_type("a string");
  return value_->get<std::string>();
}

void Field::fail(std::string_view message) const {
  if (path_.empty()) throw Error(fmt::format("{}: {}", to_string(*origin_), message));
  throw Error(fmt::format("{}: '{}' {}", to_string(*origin_), path_, message));
}

void Field::fail_type(std::string_view expected) const {
  std::string shown = value_->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (shown.size() > 40) shown = shown.substr(0, 37) + "...";
  fail(fmt::format("must be {}, not {}", expected, shown));
}

void Field::rethrow_located(const std::exception& error) const {
  if (path_.empty()) throw Error(fmt::format("{}: {}", to_string(*origin_), error.what()));
  throw Error(fmt::format("{}: '{}': {}", to_string(*origin_), path_, error.what()));
}

}  // namespace moetune
