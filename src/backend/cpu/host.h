#pragma once

#include <vector>

#include "backend/cpu/buffer.h"
#include "backend/cpu/cache_flush.h"
#include "backend/cpu/thread_pool.h"
#include "problem/device_info.h"

namespace moetune {

/// What everything on the CPU device shares: one pipeline runs at a time.
class Host {
 public:
  /// `threads` 0: as many as this process may use.
  explicit Host(int threads);

  const DeviceInfo& info() const { return info_; }
  ThreadPool& pool() { return pool_; }

  /// Scratch memory of each of `threads` workers, at least `floats` long. Kept, and only ever grown.
  void reserve_scratch(int threads, std::size_t floats);
  float* scratch(int worker) const { return scratch_[static_cast<std::size_t>(worker)].data(); }

  /// For a pipeline that touches this memory.
  void flush_caches(std::span<const std::span<const std::byte>> touched) { cache_flush_.run(pool_, touched); }
  const CacheFlush& cache_flush() const { return cache_flush_; }

 private:
  DeviceInfo info_;
  ThreadPool pool_;
  std::vector<Buffer<float>> scratch_;
  CacheFlush cache_flush_;
};

}  // namespace moetune
