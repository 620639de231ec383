#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "search/strategy.h"

namespace moetune {

/// The closest look at a config; rung 0 is screening.
inline constexpr int kLastRung = 2;

/// A strategy that screens new configs for most of its budget and then re-measures those not far behind, in interleaved
/// rounds, fewer and more closely each time: what a screening is off by would else choose among the best. Those who
/// derive from it say what to screen.
class Racing : public Strategy {
 public:
  std::vector<Proposal> propose(const Scoreboard& seen, const Allowance& allowance) final;

 protected:
  /// Up to `most` candidates that have not been seen, distinct; none where there is nothing left worth screening.
  virtual std::vector<std::size_t> screen(const Scoreboard& seen, std::size_t most) = 0;
  /// Of the budget; the rest is for the races.
  virtual double screening_share() const { return 0.7; }
  /// How many times in all screen() is asked, roughly: more learn more, fewer keep more compilers busy.
  virtual double generations() const { return 4; }

 private:
  std::size_t generation_size(const Allowance& allowance) const;
  std::vector<Proposal> race(const Scoreboard& seen, const Allowance& allowance);

  int rung_ = 0;
};

/// A whole number below `end`, by the same generator on every platform.
inline std::size_t draw(std::mt19937_64& random, std::size_t end) {
  return static_cast<std::size_t>(random() % end);
}

}  // namespace moetune
