#include "base/hash.h"

#include <fmt/format.h>

namespace moetune {

Digest& Digest::add(std::string_view bytes) {
  constexpr std::uint64_t kPrime = 0x100000001b3ull;
  auto take = [&](unsigned char byte) {
    low_ = (low_ ^ byte) * kPrime;
    high_ = (high_ ^ (byte + 0x9eull)) * kPrime;
    high_ ^= high_ >> 29;
  };
  for (std::size_t length = bytes.size(), i = 0; i < 8; i++, length >>= 8)
    take(static_cast<unsigned char>(length & 0xff));
  for (const char byte : bytes) take(static_cast<unsigned char>(byte));
  return *this;
}

std::string Digest::hex() const {
  return fmt::format("{:016x}{:016x}", high_, low_);
}

}  // namespace moetune
