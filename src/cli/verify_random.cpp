#include "cli/verify_random.h"

#include <algorithm>
#include <deque>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "cli/verified_workload.h"

namespace moetune {
namespace {

constexpr std::size_t kLeastFamilies = 16;
constexpr std::size_t kMostMembers = 50;  // a family's three GEMMs take seconds of a core, a member milliseconds

/// Draws families in order, each with its kernels compiled, some ahead of when they are asked for.
class Families {
 public:
  Families(Device& device, const FamilySource& source, std::size_t members)
      : device_(device), source_(source), members_(members) {
    // A family has four kernels, each the work of one core.
    const std::size_t ahead = std::max(1u, std::thread::hardware_concurrency() / 4);
    while (coming_.size() < ahead) start();
  }

  Family next() {
    Family family = coming_.front().get();
    coming_.pop_front();
    start();
    return family;
  }

 private:
  void start() {
    coming_.push_back(std::async(std::launch::async, [this, index = started_++] {
      Family family = source_.draw(index, members_);
      const Problem& problem = family.members.front().problem;
      const std::vector<std::pair<Stage, StageConfig>> stages(family.stages.begin(), family.stages.end());
      if (!device_.kernels(problem, stages).empty()) device_.prepare(problem, stages, [] {});
      return family;
    }));
  }

  Device& device_;
  const FamilySource& source_;
  std::size_t members_;
  std::size_t started_ = 0;
  std::deque<std::future<Family>> coming_;
};

/// The first pipeline of the family that cannot be compiled: not every legal config fits the registers, and the
/// assembler is the one to say.
std::optional<std::pair<PipelineConfig, Failure>> find_uncompilable(Device& device, const Family& family,
                                                                    const std::vector<Impl>& impls) {
  const Family::Member& member = family.members.front();
  VerifiedWorkload workload(device, member.problem, member.data);
  for (const Impl impl : impls) {
    const PipelineConfig config = family.config(impl);
    const auto built = workload.build(config);
    if (!built && built.failure().outcome == Outcome::compile_error) return std::pair(config, built.failure());
  }
  return std::nullopt;
}

}  // namespace

RandomTally verify_random(Device& device, const FamilySource& source, std::size_t count, const RandomEvents& events) {
  const bool compiles = device.info().backend == Backend::cuda;
  const std::size_t members = compiles ? std::clamp<std::size_t>(count / kLeastFamilies, 1, kMostMembers) : 1;
  const std::size_t most_left_out = std::max(kLeastFamilies, count / members);
  Families families(device, source, members);
  RandomTally tally;
  std::size_t left_out = 0;
  while (tally.problems < count && !events.should_stop()) {
    const Family family = families.next();
    if (const auto found = find_uncompilable(device, family, source.impls)) {
      events.on_left_out(found->first, found->second);
      if (++left_out > most_left_out)
        throw Error(fmt::format("{} random configs did not compile; the last was {}: {}", left_out,
                                to_label(found->first), found->second.reason));
      continue;
    }
    for (const Family::Member& member : family.members) {
      if (tally.problems == count || events.should_stop()) return tally;
      events.on_progress(member, tally.problems);
      VerifiedWorkload workload(device, member.problem, member.data);
      bool failed = false;
      for (const Impl impl : source.impls) {
        const PipelineConfig config = family.config(impl);
        const std::optional<Failure> failure = workload.check(config).failure;
        if (!failure) continue;
        failed = true;
        events.on_failure(member, config, *failure);
      }
      ++tally.problems;
      tally.failed += failed;
    }
  }
  return tally;
}

}  // namespace moetune
