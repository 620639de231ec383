#include "search/budget.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace moetune {
namespace {

struct Unit {
  std::string_view suffix;
  Budget::Kind kind;
  double scale;
};
// "evals" stands before "s", of which it is a special case.
constexpr std::array<Unit, 5> kUnits{{{"evals", Budget::Kind::evaluations, 1},
                                      {"s", Budget::Kind::seconds, 1},
                                      {"m", Budget::Kind::seconds, 60},
                                      {"h", Budget::Kind::seconds, 3600},
                                      {"%", Budget::Kind::share, 0.01}}};

[[noreturn]] void reject(std::string_view text, std::string_view why) {
  throw Error(
      fmt::format("--budget '{}' {}: give seconds, minutes or hours (90s, 10m, 1h), a number of trials (500evals) "
                  "or a share of the search space (20%)",
                  text, why));
}

}  // namespace

Budget parse_budget(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.suffix)) continue;
    const std::string_view number = text.substr(0, text.size() - unit.suffix.size());
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) reject(text, "has no number before its unit");
    if (!(value > 0 && std::isfinite(value))) reject(text, "is not positive");
    value *= unit.scale;
    if (unit.kind == Budget::Kind::evaluations && value != std::floor(value))
      reject(text, "is not a whole number of trials");
    if (unit.kind == Budget::Kind::share && value > 1) reject(text, "is more than the whole space");
    return {.kind = unit.kind, .value = value};
  }
  reject(text, "has no unit that is known");
}

Effort parse_effort(std::string_view name) {
  for (const Effort& effort : {kQuickEffort, kNormalEffort, kFullEffort})
    if (effort.name == name) return effort;
  throw Error(fmt::format("--effort '{}' is not known: give quick, normal or full", name));
}

std::string to_string(const Budget& budget) {
  switch (budget.kind) {
    case Budget::Kind::seconds:
      return fmt::format("{:g}s", budget.value);
    case Budget::Kind::evaluations:
      return fmt::format("{:.0f}evals", budget.value);
    case Budget::Kind::share:
      return fmt::format("{:g}%", budget.value * 100);
  }
  return "?";
}

std::optional<std::size_t> trials_of(const Budget& budget, std::size_t legal) {
  if (budget.kind == Budget::Kind::seconds) return std::nullopt;
  const bool is_share = budget.kind == Budget::Kind::share;
  return static_cast<std::size_t>(is_share ? std::ceil(budget.value * static_cast<double>(legal)) : budget.value);
}

Budget share_of(const Budget& budget, double seconds_gone, std::size_t evaluations_gone, std::size_t problems_left) {
  const auto left = static_cast<double>(std::max<std::size_t>(problems_left, 1));
  Budget share = budget;
  switch (budget.kind) {
    case Budget::Kind::seconds:
      share.value = std::max(0.0, budget.value - seconds_gone) / left;
      break;
    case Budget::Kind::evaluations:
      share.value = std::floor(std::max(0.0, budget.value - static_cast<double>(evaluations_gone)) / left);
      break;
    case Budget::Kind::share:
      break;
  }
  return share;
}

Meter::Meter(std::optional<std::size_t> trials, std::optional<double> deadline_s, double trial_s, Clock clock)
    : limit_(trials), deadline_s_(deadline_s), trial_s_(trial_s), clock_(std::move(clock)), start_s_(clock_()) {}

bool Meter::is_spent() const {
  return (limit_ && trials_ >= *limit_) || (deadline_s_ && clock_() >= *deadline_s_);
}

std::optional<double> Meter::seconds_left() const {
  if (!deadline_s_) return std::nullopt;
  return std::max(0.0, *deadline_s_ - clock_());
}

Allowance Meter::allowance(std::size_t batch) const {
  Allowance allowance{.batch = batch, .left = std::numeric_limits<std::size_t>::max(), .spent = 0};
  if (limit_) {
    allowance.left = *limit_ > trials_ ? *limit_ - trials_ : 0;
    allowance.spent = *limit_ > 0 ? static_cast<double>(trials_) / static_cast<double>(*limit_) : 1;
  }
  if (deadline_s_) {
    const double now = clock_();
    const double each = trials_ > 0 ? (now - start_s_) / static_cast<double>(trials_) : trial_s_;
    const double fit = std::max(0.0, *deadline_s_ - now) / std::max(each, 1e-6);
    allowance.left = std::min(allowance.left, static_cast<std::size_t>(std::ceil(std::min(fit, 1e9))));
    const double whole = *deadline_s_ - start_s_;
    allowance.spent = std::max(allowance.spent, whole > 0 ? (now - start_s_) / whole : 1);
  }
  allowance.batch = std::min(allowance.batch, allowance.left);
  allowance.spent = std::clamp(allowance.spent, 0.0, 1.0);
  return allowance;
}

}  // namespace moetune
