// A tuning divided among hosts that know nothing of each other.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace moetune {

/// Part `index` of `count`.
struct Shard {
  int index = 1;  ///< from 1
  int count = 1;

  bool operator==(const Shard&) const = default;
};

/// "2/8", or "auto": what Slurm's job arrays and Kubernetes' indexed jobs say in the environment, which `variable`
/// reads. Kubernetes tells a pod its index (JOB_COMPLETION_INDEX, from 0) and not how many there are: JOB_COMPLETIONS
/// has to be set in the manifest. Throws Error naming what is missing.
Shard parse_shard(std::string_view text, const std::function<std::optional<std::string>(const std::string&)>& variable);
/// Of this process.
std::optional<std::string> environment_variable(const std::string& name);
/// "2/8"
std::string to_string(const Shard& shard);

/// Indices of problems, the one with the most to compute first.
std::vector<std::size_t> largest_first(const std::vector<Problem>& problems);
/// A shard's problems, in their order: dealt out like cards, the largest first, so that shards get about as much to do.
std::vector<Problem> problems_of(const Shard& shard, const std::vector<Problem>& problems);

}  // namespace moetune
