#pragma once

#include <cstdint>
#include <vector>

#include "data/inputs.h"

namespace moetune {

/// The tokens that hold the first and the last slot of each expert's group, where tile edges go wrong first; -1 for
/// experts that no token chose.
struct GroupEnds {
  std::vector<std::int64_t> first, last;  ///< [E]
};

GroupEnds find_group_ends(const Routing& routing);

}  // namespace moetune
