#include "backend/cpu/cache_flush.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/gemm.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace moetune {
namespace {

using Bytes = std::span<const std::byte>;

/// The part of `all` that is the worker's, of so many.
Bytes part_of(Bytes all, int worker, int workers) {
  const auto w = static_cast<std::size_t>(worker), n = static_cast<std::size_t>(workers);
  const std::size_t each = (all.size() + n - 1) / n, begin = std::min(all.size(), w * each);
  return all.subspan(begin, std::min(each, all.size() - begin));
}

#if defined(__x86_64__)

// clflush, which older processors have, waits for each line: 0.25 GB/s where clflushopt does 14, which is less than
// streaming costs as soon as a few MB are touched. They stream.
__attribute__((target("clflushopt"))) void evict(Bytes bytes) {
  constexpr std::uintptr_t kLine = 64;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()), end = begin + bytes.size();
  for (std::uintptr_t line = begin / kLine * kLine; line < end; line += kLine)
    _mm_clflushopt(reinterpret_cast<void*>(line));
}

/// Nothing is read or written from here on before all evictions are done.
void wait_for_evictions() {
  _mm_mfence();
}

#else

void evict(Bytes) {}
void wait_for_evictions() {}

#endif

}  // namespace

bool can_evict_lines() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // not __builtin_cpu_supports: clang 14 does not know the name there
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & bit_CLFLUSHOPT) != 0;
#else
  return false;  // arm64 has dc civac, which a kernel may keep from programs
#endif
}

CacheFlush::CacheFlush(std::int64_t cache_bytes, bool evicts)
    : cache_bytes_(cache_bytes), evicts_(evicts && can_evict_lines()) {}

// A byte evicted costs about as much as a byte read, 60 and 90 ms for 900 MB on a Xeon of 2023: whichever is less.
std::int64_t CacheFlush::streamed_bytes(double touched) const {
  const std::int64_t bytes = 3 * cache_bytes_;
  return evicts_ && touched <= static_cast<double>(bytes) ? 0 : bytes;
}

void CacheFlush::run(ThreadPool& pool, std::span<const Bytes> touched) {
  double bytes = 0;
  for (const Bytes each : touched) bytes += static_cast<double>(each.size());
  if (streamed_bytes(bytes) > 0) return stream(pool);
  pool.run(pool.size(), [&](int worker) {
    for (const Bytes each : touched) evict(part_of(each, worker, pool.size()));
    wait_for_evictions();
  });
}

void CacheFlush::stream(ThreadPool& pool) {
  constexpr std::int64_t kGrain = 1 << 17;  // words: 1 MB
  const std::int64_t words = 3 * cache_bytes_ / static_cast<std::int64_t>(sizeof(std::uint64_t));
  if (buffer_.size() == 0) {
    buffer_ = Buffer<std::uint64_t>(words);
    pool.for_ranges(pool.size(), words, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
      std::memset(buffer_.data() + begin, 1, static_cast<std::size_t>(end - begin) * sizeof(std::uint64_t));
    });
  }
  pool.for_ranges(pool.size(), words, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    cpu::stream_read(buffer_.data() + begin, static_cast<std::size_t>(end - begin) * sizeof(std::uint64_t));
  });
}

}  // namespace moetune
