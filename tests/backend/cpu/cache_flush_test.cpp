// Told by time: the fastest of many reads, which no other load on the machine makes faster.
#include "backend/cpu/cache_flush.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace moetune {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kBytes = 256 << 10;  // in the second-level cache when warm
constexpr std::size_t kPiece = 16 << 10, kLine = 64, kWords = kLine / sizeof(std::uint64_t);

/// Each line of a piece names another of the same piece, all of them in one cycle and in no order that a processor
/// could guess: to follow it takes a cache's latency for each line. Read one after the other, lines in a third-level
/// cache come nearly as fast as those of the second on an EPYC.
Buffer<std::uint64_t> filled() {
  Buffer<std::uint64_t> buffer(kBytes / sizeof(std::uint64_t));
  std::fill(buffer.data(), buffer.data() + buffer.size(), 3u);
  std::mt19937 random(1);
  for (std::size_t piece = 0; piece < kBytes / kPiece; ++piece) {
    std::uint64_t* const words = buffer.data() + piece * (kPiece / sizeof(std::uint64_t));
    std::vector<std::uint64_t> order(kPiece / kLine);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (std::size_t i = 0; i < order.size(); ++i) words[order[i] * kWords] = order[(i + 1) % order.size()];
  }
  return buffer;
}

/// Followed after prepare(), piece by piece: the fastest of 100, ns for each.
template <class Prepare>
std::vector<double> fastest_reads(Bytes bytes, const Prepare& prepare) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> fastest(bytes.size() / kPiece, std::numeric_limits<double>::infinity());
  for (int i = 0; i < 100; ++i) {
    prepare();
    for (std::size_t piece = 0; piece < fastest.size(); ++piece) {
      const auto* words = reinterpret_cast<const std::uint64_t*>(bytes.data() + piece * kPiece);
      const auto start = Clock::now();
      std::uint64_t line = 0;
      for (std::size_t n = 0; n < kPiece / kLine; ++n) line = words[line * kWords];
      fastest[piece] = std::min(fastest[piece], std::chrono::duration<double, std::nano>(Clock::now() - start).count());
      EXPECT_EQ(line, 0u);  // where the cycle began
    }
  }
  return fastest;
}

/// How many times as long pieces take to follow after the flush, least and most: on an EPYC 7 to 17 from memory, 1.4 to
/// 2.0 where a buffer was streamed and a third-level cache has them, 0.98 to 1.05 where other memory was touched.
struct Slowdown {
  double least, most;
};
Slowdown slowdown(CacheFlush& flush, ThreadPool& pool, Bytes touched, Bytes read) {
  const std::vector<double> warm = fastest_reads(read, [] {});
  std::vector<double> ratios = fastest_reads(read, [&] { flush.run(pool, std::vector{touched}); });
  std::transform(ratios.begin(), ratios.end(), warm.begin(), ratios.begin(), std::divides());
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  return {*least, *most};
}

/// For a busy machine: whether it is so in one of 20 tries.
template <class Condition>
bool is_so(const Condition& condition) {
  for (int i = 0; i < 20; ++i)
    if (condition()) return true;
  return false;
}

TEST(CacheFlush, WhatIsTouchedComesFromMemoryAfterwards) {
  const Buffer<std::uint64_t> buffer = filled();
  const Bytes bytes = std::as_bytes(buffer.span());
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    CacheFlush flush(std::int64_t{4} << 20);
    EXPECT_TRUE(is_so([&] { return slowdown(flush, pool, bytes, bytes).least > 2; })) << threads;
  }
}

TEST(CacheFlush, SoItDoesWhereABufferIsStreamed) {
  const Buffer<std::uint64_t> buffer = filled();
  const Bytes bytes = std::as_bytes(buffer.span());
  ThreadPool pool(1);
  CacheFlush flush(std::int64_t{4} << 20, false);  // past the second-level cache of any
  EXPECT_TRUE(is_so([&] { return slowdown(flush, pool, bytes, bytes).least > 1.2; }));
}

TEST(CacheFlush, TheRestStaysWhereLinesAreEvicted) {
  if (!can_evict_lines()) GTEST_SKIP() << "this processor streams";
  const Buffer<std::uint64_t> buffer = filled(), other = filled();
  const Bytes read = std::as_bytes(buffer.span()), touched = std::as_bytes(other.span());
  ThreadPool pool(1);
  CacheFlush flush(std::int64_t{4} << 20);
  EXPECT_TRUE(is_so([&] { return slowdown(flush, pool, touched, read).most < 1.2; }));
}

TEST(CacheFlush, StreamsWhereThatIsLess) {
  const CacheFlush streams(1000, false), flush(1000);
  EXPECT_EQ(streams.streamed_bytes(1), 3000);
  EXPECT_EQ(flush.streamed_bytes(3000), can_evict_lines() ? 0 : 3000);
  EXPECT_EQ(flush.streamed_bytes(3001), 3000);
}

TEST(CacheFlush, ChangesNothing) {
  Buffer<std::uint64_t> buffer = filled();
  ThreadPool pool(3);
  for (const bool evicts : {true, false}) {
    CacheFlush flush(1 << 20, evicts);
    for (std::size_t i = 0; i < 100; ++i) {
      buffer.data()[i] = i;  // written, and not yet in memory
      const Bytes bytes = std::as_bytes(buffer.span());
      flush.run(pool, std::vector{bytes.subspan(3, i), Bytes(), bytes});
      EXPECT_EQ(buffer.data()[i], i);
    }
  }
}

}  // namespace
}  // namespace moetune
