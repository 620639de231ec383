#pragma once

#include <algorithm>
#include <utility>

#include "search/strategy.h"

namespace moetune {

/// Screens candidates in an order fixed beforehand.
class InOrder : public Strategy {
 public:
  explicit InOrder(std::vector<std::size_t> order) : order_(std::move(order)) {}

  std::vector<Proposal> propose(const Scoreboard&, const Allowance& allowance) override {
    std::vector<Proposal> batch;
    while (batch.size() < allowance.batch && next_ < order_.size()) batch.push_back({.candidate = order_[next_++]});
    return batch;
  }

  std::vector<std::size_t> foresee(const Scoreboard&, std::size_t most) const override {
    const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(next_);
    return {begin, begin + static_cast<std::ptrdiff_t>(std::min(most, order_.size() - next_))};
  }

  /// With four compilations a thread few threads wait for the last of them.
  std::size_t batch() const override { return 64; }

 private:
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
};

}  // namespace moetune
