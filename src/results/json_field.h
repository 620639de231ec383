// Reading JSON with errors that name the file, the line and the field.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace moetune {

using Json = nlohmann::ordered_json;  // keeps keys in the order written

/// Where a JSON text came from.
struct Origin {
  std::string file;
  std::size_t line = 0;  ///< of a JSONL file, from 1; 0 where the document is the whole file
};

/// "journal.jsonl:12" or "best.json"
std::string to_string(const Origin& origin);

/// Throws Error with the place of the fault.
Json parse_json(std::string_view text, const Origin& origin);

/// A value inside a document together with its path. All readers throw Error, e.g.
/// "journal.jsonl:12: 'problem.M' must be an integer, not \"many\"". The document and the origin outlive it.
class Field {
 public:
  Field(const Json& value, const Origin& origin, std::string path = "");

  Field at(std::string_view key) const;                   ///< the member; it must be there
  std::optional<Field> find(std::string_view key) const;  ///< the member, unless it is missing or null

  /// The members of an object, in file order.
  std::vector<std::pair<std::string, Field>> members() const;
  std::vector<Field> elements() const;

  std::int64_t integer() const;
  std::uint64_t unsigned_integer() const;
  int small_integer() const;  ///< one that fits an int
  double number() const;      ///< "nan", "inf" and "-inf" too
  double finite() const;
  bool is_boolean() const;
  bool boolean() const;
  std::string text() const;

  /// A string read by `parse`, whose Error is given the place.
  template <class Parse>
  auto text_as(Parse parse) const -> decltype(parse(std::string_view())) {
    return located([&] { return parse(std::string_view(text())); });
  }

  /// What calls throw inside, with this field's place in front.
  template <class Call>
  auto located(Call call) const -> decltype(call()) {
    try {
      return call();
    } catch (const std::exception& error) {
      rethrow_located(error);
    }
  }

  [[noreturn]] void fail(std::string_view message) const;

 private:
  [[noreturn]] void rethrow_located(const std::exception& error) const;
  [[noreturn]] void fail_type(std::string_view expected) const;

  const Json* value_;
  const Origin* origin_;
  std::string path_;
};

}  // namespace moetune
