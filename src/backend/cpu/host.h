#pragma once

#include <vector>

#include "backend/cpu/buffer.h"
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

  /// Reads a buffer of three times the last-level caches, all threads a part each, so that nothing else is left in
  /// them.
  void flush_caches();
  std::int64_t flush_bytes() const { return 3 * info_.l2_bytes; }

 private:
  DeviceInfo info_;
  ThreadPool pool_;
  std::vector<Buffer<float>> scratch_;
  Buffer<std::uint64_t> flush_;
};

}  // namespace moetune
