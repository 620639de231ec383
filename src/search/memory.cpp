#include "search/memory.h"

namespace moetune {
namespace {

bool was_interrupted(const Trial& trial) {
  return trial.outcome == Outcome::skipped || (trial.time && trial.time->stopped_by == "interrupted");
}

}  // namespace

Memory::Memory(std::span<const Trial> trials) {
  for (const Trial& trial : trials)
    if (!was_interrupted(trial)) trials_.insert_or_assign(key_of(trial), trial);
}

const Trial* Memory::find(const Trial& asked) const {
  const auto found = trials_.find(key_of(asked));
  return found == trials_.end() ? nullptr : &found->second;
}

Memory::Key Memory::key_of(const Trial& trial) {
  return {trial.phase,     trial.stage,        trial.rung,          trial.config,      trial.data.fill,
          trial.data.seed, trial.timing.cache, trial.timing.launch, trial.timing.load, trial.timing.routing_draws};
}

}  // namespace moetune
