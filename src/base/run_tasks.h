#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace moetune {

/// Calls body(task) for 0 … tasks-1 on all hardware threads; the next free thread takes the next task. What a body
/// throws is thrown here, when all have ended; tasks that were not begun are left out.
template <class Body>
void run_tasks(std::int64_t tasks, const Body& body) {
  std::atomic<std::int64_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::int64_t task; (task = next.fetch_add(1)) < tasks;) body(task);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      next = tasks;
    }
  };
  std::vector<std::jthread> threads;
  const std::int64_t wanted = std::min<std::int64_t>(tasks, std::max(1u, std::thread::hardware_concurrency()));
  for (std::int64_t t = 1; t < wanted; ++t) threads.emplace_back(work);
  work();
  threads.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace moetune
