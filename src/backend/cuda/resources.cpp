#include "backend/cuda/resources.h"

namespace moetune::cuda {

// Destructors ignore errors: after a fault every call fails, and the process is about to say so anyway.

Buffer::Buffer(const Driver& driver, std::size_t bytes) : driver_(&driver), bytes_(bytes) {
  if (bytes > 0) driver.check(driver.memory_allocate(&address_, bytes), "allocating device memory");
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(driver_, other.driver_);
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (address_ != 0) driver_->memory_free(address_);
}

ContextGuard::~ContextGuard() {
  Context now = nullptr;
  if (driver_.context_get_current(&now) == 0 && now != before_) driver_.context_set_current(before_);
}

ReadyGraph::ReadyGraph(const Driver& driver, Graph graph) : driver_(&driver) {
  const int code = driver.graph_instantiate(&exec_, graph, 0);
  driver.graph_destroy(graph);
  driver.check(code, "instantiating a graph");
}

ReadyGraph& ReadyGraph::operator=(ReadyGraph&& other) noexcept {
  std::swap(driver_, other.driver_);
  std::swap(exec_, other.exec_);
  return *this;
}

ReadyGraph::~ReadyGraph() {
  if (exec_ != nullptr) driver_->graph_exec_destroy(exec_);
}

void ReadyGraph::launch(Stream stream) const {
  driver_->check(driver_->graph_launch(exec_, stream), "launching a graph");
}

Timers::~Timers() {
  for (const auto& [begin, end] : events_) {
    driver_->event_destroy(begin);
    driver_->event_destroy(end);
  }
}

std::pair<Event, Event> Timers::pair(std::size_t i) {
  while (events_.size() <= i) {
    std::pair<Event, Event> made{};
    driver_->check(driver_->event_create(&made.first, 0), "creating an event");
    driver_->check(driver_->event_create(&made.second, 0), "creating an event");
    events_.push_back(made);
  }
  return events_[i];
}

}  // namespace moetune::cuda
