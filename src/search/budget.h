#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "measure/clock.h"

namespace moetune {

/// How much a search may spend. Evaluations are screening trials, re-measured survivors included; the few trials that
/// find a working default and the finals come on top. A share is of the legal configs of each stage.
struct Budget {
  enum class Kind { seconds, evaluations, share };
  Kind kind = Kind::seconds;
  double value = 60;  ///< seconds; a count; 0 < share <= 1

  bool operator==(const Budget&) const = default;
};

/// How much a problem gets where no budget is given.
struct Effort {
  std::string_view name;
  std::size_t trials;  ///< of each stage
  double seconds;      ///< a guard on slow devices; finals are sampled for less where little is left of it
};
inline constexpr Effort kQuickEffort{"quick", 24, 20}, kNormalEffort{"normal", 48, 60}, kFullEffort{"full", 160, 240};
/// Throws Error naming those there are.
Effort parse_effort(std::string_view name);

/// "90s", "10m", "1.5h", "500evals", "20%". Throws Error naming the text and showing what would be accepted.
Budget parse_budget(std::string_view text);
/// Reads back with parse_budget.
std::string to_string(const Budget& budget);

/// Trials of a stage with so many legal configs; nothing where seconds are what is limited.
std::optional<std::size_t> trials_of(const Budget& budget, std::size_t legal);

/// What one of `problems_left` problems may spend of a whole run's `budget`, of which so much is gone.
Budget share_of(const Budget& budget, double seconds_gone, std::size_t evaluations_gone, std::size_t problems_left);

/// What a strategy may still do.
struct Allowance {
  std::size_t batch = 16;  ///< at most so many proposals at once
  std::size_t left = 0;    ///< trials that fit in what is left; an estimate where the budget is in seconds
  double spent = 0;        ///< share of the budget used up, 0 … 1
};

/// One stage's budget as it is being spent: a number of trials, a deadline, or both.
class Meter {
 public:
  /// `deadline_s` on `clock`; `trial_s` is a guess at what a trial takes, until there are some.
  Meter(std::optional<std::size_t> trials, std::optional<double> deadline_s, double trial_s, Clock clock);

  void count_trial() { ++trials_; }
  std::size_t trials() const { return trials_; }
  bool is_spent() const;
  std::optional<double> seconds_left() const;  ///< where there is a deadline; not negative
  Allowance allowance(std::size_t batch) const;

 private:
  std::optional<std::size_t> limit_;
  std::optional<double> deadline_s_;
  double trial_s_;
  Clock clock_;
  double start_s_;
  std::size_t trials_ = 0;
};

}  // namespace moetune
