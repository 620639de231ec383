#include "search/in_order.h"

namespace moetune {

std::unique_ptr<Strategy> make_exhaustive(const StageSpace& space, std::uint64_t) {
  return std::make_unique<InOrder>(seeded_order(space, std::nullopt));
}

}  // namespace moetune
