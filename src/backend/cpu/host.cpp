#include "backend/cpu/host.h"

#include <cstring>

#include "backend/cpu/machine.h"
#include "kernels/cpu/gemm.h"

namespace moetune {

Host::Host(int threads)
    : info_(describe_machine()),
      pool_(threads > 0 ? threads : info_.multiprocessors),
      scratch_(static_cast<std::size_t>(pool_.size())) {
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

void Host::flush_caches() {
  constexpr std::int64_t kGrain = 1 << 17;  // words: 1 MB
  const std::int64_t words = flush_bytes() / static_cast<std::int64_t>(sizeof(std::uint64_t));
  if (flush_.size() == 0) {
    flush_ = Buffer<std::uint64_t>(words);
    pool_.for_ranges(pool_.size(), words, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
      std::memset(flush_.data() + begin, 1, static_cast<std::size_t>(end - begin) * sizeof(std::uint64_t));
    });
  }
  pool_.for_ranges(pool_.size(), words, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    cpu::stream_read(flush_.data() + begin, static_cast<std::size_t>(end - begin) * sizeof(std::uint64_t));
  });
}

}  // namespace moetune
