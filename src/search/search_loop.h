#pragma once

#include <vector>

#include "search/strategy.h"

namespace moetune {

/// Where what a strategy proposes is measured: on a device, or in a recording.
class Measurer {
 public:
  virtual ~Measurer() = default;

  /// Measures a batch, puts what it saw on the board and counts it with the meter, until done or until is_over().
  virtual void measure(const std::vector<Proposal>& batch) = 0;
  virtual const Scoreboard& board() const = 0;
  virtual const Meter& meter() const = 0;
  virtual bool is_over() const { return meter().is_spent(); }
};

/// THE loop of a search: the strategy proposes, the measurer measures, until one of them has done.
inline void search(Strategy& strategy, Measurer& measurer) {
  while (!measurer.is_over()) {
    const std::vector<Proposal> batch =
        strategy.propose(measurer.board(), measurer.meter().allowance(strategy.batch()));
    if (batch.empty()) break;
    measurer.measure(batch);
  }
}

}  // namespace moetune
