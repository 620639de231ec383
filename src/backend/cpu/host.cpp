#include "backend/cpu/host.h"

#include "backend/cpu/machine.h"

namespace moetune {

Host::Host(int threads)
    : info_(describe_machine()),
      pool_(threads > 0 ? threads : info_.multiprocessors),
      scratch_(static_cast<std::size_t>(pool_.size())),
      cache_flush_(info_.l2_bytes) {
  info_.multiprocessors = pool_.size();
}

void Host::reserve_scratch(int threads, std::size_t floats) {
  for (int i = 0; i < threads && i < pool_.size(); ++i) {
    Buffer<float>& each = scratch_[static_cast<std::size_t>(i)];
    if (each.size() < static_cast<std::int64_t>(floats)) {
      each = {};
      each = Buffer<float>(static_cast<std::int64_t>(floats));
    }
  }
}

}  // namespace moetune
