#pragma once

#include <cstddef>
#include <cstdint>

namespace moetune {

/// Lays areas out one after the other, each aligned, in memory that begins anywhere.
class MemoryMap {
 public:
  static constexpr std::size_t kAlignment = 256;

  /// Where an area of `bytes` begins, from the first aligned address.
  std::size_t add(std::int64_t bytes) {
    const std::size_t begin = end_;
    end_ += (static_cast<std::size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
    return begin;
  }

  /// What all areas need, wherever the memory begins.
  std::size_t size() const { return end_ + kAlignment - 1; }

  /// The first aligned address of `memory`.
  static std::uintptr_t first(const void* memory) {
    return (reinterpret_cast<std::uintptr_t>(memory) + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  std::size_t end_ = 0;
};

}  // namespace moetune
