#include "library/plan.h"

#include <algorithm>

namespace moetune {

std::size_t Plan::range_of(std::int64_t M) const {
  const auto found = std::lower_bound(ranges_.begin(), ranges_.end(), M,
                                      [](const ConfigRange& range, std::int64_t m) { return range.to < m; });
  return static_cast<std::size_t>(found - ranges_.begin());
}

}  // namespace moetune
