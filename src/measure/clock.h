#pragma once

#include <functional>

namespace moetune {

/// Seconds since some fixed point; never goes back. Handed in wherever time is a budget, so that a recorded space can
/// be searched in simulated time.
using Clock = std::function<double()>;

double steady_seconds();

/// Lets that many seconds pass with nothing running.
using Rest = std::function<void(double)>;

void sleep_seconds(double seconds);

}  // namespace moetune
