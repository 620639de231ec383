#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace moetune {
namespace {

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Waits until `value` is no longer `old`. Some 30 µs of spinning, then the kernel's wait.
void wait_for_change(const std::atomic<int>& value, int old) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::microseconds(30);
  do {
    for (int i = 0; i < 32; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (Clock::now() < until);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int number = 1; number < threads; ++number) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.thread = std::thread([this, &worker, number] { serve(worker, number); });
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  for (const auto& worker : workers_) {
    worker->signal.fetch_add(1, std::memory_order_release);
    worker->signal.notify_one();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

void ThreadPool::run(int threads, const std::function<void(int)>& body) {
  const int others = std::clamp(threads, 1, size()) - 1;
  body_ = &body;
  busy_.store(others, std::memory_order_relaxed);
  for (int i = 0; i < others; ++i) {
    workers_[static_cast<std::size_t>(i)]->signal.fetch_add(1, std::memory_order_release);
    workers_[static_cast<std::size_t>(i)]->signal.notify_one();
  }
  body(0);
  for (int left = busy_.load(std::memory_order_acquire); left != 0; left = busy_.load(std::memory_order_acquire))
    wait_for_change(busy_, left);
}

void ThreadPool::serve(Worker& worker, int number) {
  for (int seen = 0;; ++seen) {  // run() never signals twice before busy_ is down to zero
    wait_for_change(worker.signal, seen);
    if (stop_) return;
    (*body_)(number);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

}  // namespace moetune
