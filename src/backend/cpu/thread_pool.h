#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace moetune {

/// Threads that wait for work, spinning briefly so that the short stages of a pipeline do not pay for a wake-up each.
/// One caller at a time.
class ThreadPool {
 public:
  /// The caller's thread counts as one of `threads`.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// body(worker) for workers 0…threads-1, at once; the caller is worker 0. `threads` is cut to size(). body must not
  /// throw.
  void run(int threads, const std::function<void(int)>& body);

  /// body(index, worker) for every index below `count`, handed out one by one.
  template <class Body>
  void for_each(int threads, std::int64_t count, const Body& body) {
    std::atomic<std::int64_t> next{0};
    run(static_cast<int>(std::min<std::int64_t>(threads, count)), [&](int worker) {
      for (std::int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
           i = next.fetch_add(1, std::memory_order_relaxed))
        body(i, worker);
    });
  }

  /// body(begin, end, worker) for consecutive ranges of [0, count), `grain` long except the last.
  template <class Body>
  void for_ranges(int threads, std::int64_t count, std::int64_t grain, const Body& body) {
    for_each(threads, (count + grain - 1) / grain,
             [&](std::int64_t i, int worker) { body(i * grain, std::min(count, (i + 1) * grain), worker); });
  }

 private:
  // A cache line each: a thread that spins on its signal does not slow the others'.
  struct alignas(64) Worker {
    std::atomic<int> signal{0};  // changes when there is work
    std::thread thread;
  };
  void serve(Worker& worker, int number);

  std::vector<std::unique_ptr<Worker>> workers_;
  const std::function<void(int)>* body_ = nullptr;
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace moetune
