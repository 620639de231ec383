#include "search/in_order.h"

namespace moetune {

std::unique_ptr<Strategy> make_random(const StageSpace& space, std::uint64_t seed) {
  return std::make_unique<InOrder>(seeded_order(space, seed));
}

}  // namespace moetune
