#include "base/run_tasks.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace moetune {
namespace {

TEST(RunTasks, DoesEachOnce) {
  std::vector<std::atomic<int>> done(1000);
  run_tasks(1000, [&](std::int64_t task) { ++done[task]; });
  for (const std::atomic<int>& times : done) EXPECT_EQ(times, 1);
  run_tasks(0, [](std::int64_t) { FAIL(); });
}

TEST(RunTasks, ThrowsWhatATaskThrew) {
  EXPECT_THROW(run_tasks(100,
                         [](std::int64_t task) {
                           if (task == 7) throw std::runtime_error("7");
                         }),
               std::runtime_error);
}

}  // namespace
}  // namespace moetune
