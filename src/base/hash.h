#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moetune {

/// A 128-bit digest for cache keys and checksums: two FNV-1a passes (Fowler, Noll, Vo) with different offsets. Guards
/// against accidents, not against an adversary.
class Digest {
 public:
  Digest& add(std::string_view bytes);  ///< the length goes in too, so that ("ab","c") and ("a","bc") differ
  std::string hex() const;              ///< 32 digits

 private:
  std::uint64_t low_ = 0xcbf29ce484222325ull, high_ = 0x6c62272e07bb0142ull;
};

}  // namespace moetune
