#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cpu/buffer.h"
#include "backend/cpu/thread_pool.h"

namespace moetune {

/// Whether this processor has an instruction that takes a line out of all caches and does not wait for the one before:
/// clflushopt, of x86-64 since Skylake and Zen.
bool can_evict_lines();

/// Makes the caches cold for what touches memory next, at a cost in proportion to that memory and not to the caches: a
/// virtual machine may be told of 300 MiB that its host's guests share, and to push them out takes 0.1 to 0.3 s. Where
/// lines are evicted, code and stacks stay, which streaming pushes out too: of the smallest pipelines a sample took 11
/// instead of 23 µs (5 warm), of those that read 0.8 MB and more the same.
class CacheFlush {
 public:
  /// `cache_bytes`: of all last-level caches. `evicts`: false streams in any case.
  explicit CacheFlush(std::int64_t cache_bytes, bool evicts = can_evict_lines());

  /// Writes every cache line that holds a byte of `touched` back to memory and takes it out of all caches; or, where
  /// that costs more or cannot be done, reads a buffer of three times the last-level caches, so that nothing else is
  /// left in them. All threads of the pool do a part each, and are awake afterwards.
  void run(ThreadPool& pool, std::span<const std::span<const std::byte>> touched);

  /// Size of the buffer that run() reads where `touched` bytes are touched; 0 where it evicts them line by line.
  std::int64_t streamed_bytes(double touched) const;

 private:
  void stream(ThreadPool& pool);

  std::int64_t cache_bytes_;
  bool evicts_;
  Buffer<std::uint64_t> buffer_;  // made when it is first read
};

}  // namespace moetune
