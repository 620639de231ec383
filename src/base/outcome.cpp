#include "base/outcome.h"

#include <array>

#include "base/error.h"

namespace moetune {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 9> kNames{{
    {Outcome::ok, "ok"},
    {Outcome::invalid, "invalid"},
    {Outcome::compile_error, "compile_error"},
    {Outcome::out_of_memory, "out_of_memory"},
    {Outcome::launch_error, "launch_error"},
    {Outcome::runtime_error, "runtime_error"},
    {Outcome::timeout, "timeout"},
    {Outcome::incorrect, "incorrect"},
    {Outcome::skipped, "skipped"},
}};

}  // namespace

std::string_view to_string(Outcome outcome) {
  for (const auto& [value, name] : kNames)
    if (value == outcome) return name;
  return "?";
}

Outcome parse_outcome(std::string_view name) {
  for (const auto& [value, known] : kNames)
    if (known == name) return value;
  throw Error("unknown outcome '" + std::string(name) + "'");
}

std::string to_string(const Failure& failure) {
  return std::string(to_string(failure.outcome)) + ": " + failure.reason;
}

}  // namespace moetune
