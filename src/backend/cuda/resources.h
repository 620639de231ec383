#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "backend/cuda/driver.h"

namespace moetune::cuda {

/// Memory on the current device; freed when it goes out of scope.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Driver& driver, std::size_t bytes);
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::size_t bytes() const { return bytes_; }
  DevicePointer address() const { return address_; }
  template <class T>
  T* as() const {  ///< null where nothing was allocated
    return reinterpret_cast<T*>(address_);
  }
  template <class T>
  void upload(std::span<const T> values) const {
    if (!values.empty())
      driver_->check(driver_->copy_to_device(address_, values.data(), values.size_bytes()), "copying to the device");
  }
  template <class T>
  void download(std::span<T> values, std::size_t first = 0) const {
    if (!values.empty())
      driver_->check(driver_->copy_to_host(values.data(), address_ + first * sizeof(T), values.size_bytes()),
                     "copying from the device");
  }

 private:
  const Driver* driver_ = nullptr;
  DevicePointer address_ = 0;
  std::size_t bytes_ = 0;
};

/// The calling thread's context, which is made current again when this goes out of scope.
class ContextGuard {
 public:
  explicit ContextGuard(const Driver& driver) : driver_(driver) {
    driver.check(driver.context_get_current(&before_), "asking for the thread's context");
  }
  ContextGuard(const ContextGuard&) = delete;
  ContextGuard& operator=(const ContextGuard&) = delete;
  ~ContextGuard();

  Context before() const { return before_; }

 private:
  const Driver& driver_;
  Context before_ = nullptr;
};

/// A recorded sequence of launches, ready to replay.
class ReadyGraph {
 public:
  ReadyGraph() = default;
  ReadyGraph(const Driver& driver, Graph graph);  ///< takes the graph over
  ReadyGraph(ReadyGraph&& other) noexcept { *this = std::move(other); }
  ReadyGraph& operator=(ReadyGraph&& other) noexcept;
  ~ReadyGraph();

  explicit operator bool() const { return exec_ != nullptr; }
  void launch(Stream stream) const;

 private:
  const Driver* driver_ = nullptr;
  GraphExec exec_ = nullptr;
};

/// Pairs of events for timing, made once and used again.
class Timers {
 public:
  explicit Timers(const Driver& driver) : driver_(&driver) {}
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;
  ~Timers();

  /// The i-th pair.
  std::pair<Event, Event> pair(std::size_t i);

 private:
  const Driver* driver_;
  std::vector<std::pair<Event, Event>> events_;
};

}  // namespace moetune::cuda
