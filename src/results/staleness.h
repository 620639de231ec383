// Whether a config that was found once is still to be trusted here.
#pragma once

#include <string>
#include <vector>

#include "measure/trial.h"
#include "results/environment.h"

namespace moetune {

/// Why what was found `then` may be neither the best nor legal `now`: another device, driver, compiler of kernels,
/// other kernel sources, or a config that the engine refuses. Each as "the driver was 12.4 and is 13.0".
std::vector<std::string> why_stale(const Best& best, const Environment& then, const Environment& now);

}  // namespace moetune
