#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace moetune {

/// How a config fared. Everything but `ok` is a result too: it is recorded with a reason and never becomes the best.
enum class Outcome {
  ok,
  invalid,
  compile_error,
  out_of_memory,
  launch_error,
  runtime_error,
  timeout,
  incorrect,
  skipped
};

std::string_view to_string(Outcome outcome);
/// Throws Error for an unknown name.
Outcome parse_outcome(std::string_view name);

/// Why a config could not be built or run.
struct Failure {
  Outcome outcome = Outcome::runtime_error;
  std::string reason;

  bool operator==(const Failure&) const = default;
};

/// "compile_error: too many registers"
std::string to_string(const Failure& failure);

/// A value, or why there is none.
template <class T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Failure failure) : state_(std::move(failure)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace moetune
