#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace moetune {

/// Uninitialised memory, aligned to cache lines; large ones to huge pages, which the kernel is asked for: with 4 kB
/// pages streaming the weights of a large model misses the TLB all the time.
class AlignedMemory {
 public:
  AlignedMemory() = default;
  explicit AlignedMemory(std::size_t bytes);
  void* get() const { return data_.get(); }

 private:
  struct Free {
    std::align_val_t alignment;
    void operator()(void* data) const { ::operator delete(data, alignment); }
  };
  std::unique_ptr<void, Free> data_{nullptr, Free{std::align_val_t{64}}};
};

/// An array in such memory.
template <class T>
class Buffer {
  static_assert(std::is_trivial_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(std::int64_t size) : memory_(static_cast<std::size_t>(size) * sizeof(T)), size_(size) {}

  T* data() const { return static_cast<T*>(memory_.get()); }
  std::int64_t size() const { return size_; }
  std::span<const T> span() const { return {data(), static_cast<std::size_t>(size_)}; }

 private:
  AlignedMemory memory_;
  std::int64_t size_ = 0;
};

}  // namespace moetune
