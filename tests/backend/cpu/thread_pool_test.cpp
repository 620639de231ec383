#include "backend/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

namespace moetune {
namespace {

TEST(ThreadPool, RunsTheBodyOnceForEachWorker) {
  ThreadPool pool(5);
  ASSERT_EQ(pool.size(), 5);
  for (const int threads : {1, 2, 5}) {
    std::vector<int> seen(5);
    pool.run(threads, [&](int worker) { ++seen[static_cast<std::size_t>(worker)]; });
    for (int worker = 0; worker < 5; ++worker) EXPECT_EQ(seen[static_cast<std::size_t>(worker)], worker < threads);
  }
}

TEST(ThreadPool, CutsTooManyThreadsToItsSize) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  pool.run(100, [&](int) { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST(ThreadPool, HandsOutEveryIndexOnce) {
  ThreadPool pool(4);
  for (int repeat = 0; repeat < 200; ++repeat) {  // short jobs in a row: the hand-over itself is under test
    std::vector<int> seen(37);
    pool.for_each(4, 37, [&](std::int64_t i, int) { ++seen[static_cast<std::size_t>(i)]; });
    for (const int count : seen) ASSERT_EQ(count, 1);
  }
}

TEST(ThreadPool, RangesCoverTheWholeWithoutOverlap) {
  ThreadPool pool(3);
  for (const std::int64_t count : {0, 1, 9, 10, 11, 100}) {
    std::vector<int> seen(static_cast<std::size_t>(count));
    pool.for_ranges(3, count, 10, [&](std::int64_t begin, std::int64_t end, int) {
      EXPECT_LE(end - begin, 10);
      for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), std::int64_t{0}), count);
    for (const int each : seen) ASSERT_EQ(each, 1);
  }
}

TEST(ThreadPool, WakesThreadsThatWentToSleep) {
  ThreadPool pool(2);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // far past the spinning
    std::atomic<int> calls{0};
    pool.run(2, [&](int) { ++calls; });
    ASSERT_EQ(calls, 2);
  }
}

}  // namespace
}  // namespace moetune
