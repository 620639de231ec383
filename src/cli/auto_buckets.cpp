#include "cli/auto_buckets.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/progress.h"
#include "search/buckets.h"

namespace moetune {
namespace {

/// Each family with its M; who serves whom is not known yet.
std::vector<FamilyBuckets> families_of(std::span<const Best> bests) {
  std::vector<FamilyBuckets> families;
  for (const Best& best : bests) {
    auto family = std::find_if(families.begin(), families.end(),
                               [&](const FamilyBuckets& each) { return each.has(best.problem, best.config.impl); });
    if (family == families.end())
      family = families.insert(families.end(), {.problem = best.problem, .impls = {best.config.impl}});
    if (std::find(family->impls.begin(), family->impls.end(), best.config.impl) == family->impls.end())
      family->impls.push_back(best.config.impl);
    const auto place = std::lower_bound(family->Ms.begin(), family->Ms.end(), best.problem.M);
    if (place == family->Ms.end() || *place != best.problem.M) family->Ms.insert(place, best.problem.M);
  }
  return families;
}

/// Those of the family, in the order of M at which they were measured.
std::vector<Transfer> transfers_in(const FamilyBuckets& family, std::span<const Transfers> measured) {
  std::vector<Transfer> all;
  for (const Transfers& at : measured)
    for (const Transfer& each : at.of)
      if (family.has(at.problem, each.impl)) all.push_back(each);
  std::stable_sort(all.begin(), all.end(), [](const Transfer& a, const Transfer& b) { return a.M < b.M; });
  return all;
}

void choose(FamilyBuckets& family, std::span<const Transfers> measured, double margin) {
  const std::vector<std::int64_t>& Ms = family.Ms;
  RegretMatrix regret(Ms.size(), std::vector<std::optional<double>>(Ms.size()));
  const auto index = [&](std::int64_t M) -> std::size_t { return std::find(Ms.begin(), Ms.end(), M) - Ms.begin(); };
  const std::vector<Transfer> transfers = transfers_in(family, measured);
  family.any_tried = !transfers.empty();
  for (const Transfer& each : transfers)
    if (each.regret) regret.at(index(each.M)).at(index(each.tuned_M)) = each.regret->value;
  for (const std::size_t server : choose_buckets(Ms, regret, margin)) family.servers.push_back(Ms[server]);
  for (const Transfer& each : transfers)
    if (each.regret && family.servers[index(each.M)] == each.tuned_M &&
        (!family.worst || each.regret->value > family.worst->regret->value))
      family.worst = each;
}

}  // namespace

bool FamilyBuckets::has(const Problem& other, Impl impl) const {
  return is_same_family(problem, other) && served_as(impl) == served_as(impls.front());
}

bool FamilyBuckets::keeps(std::int64_t M) const {
  return std::find(servers.begin(), servers.end(), M) != servers.end();
}

std::vector<FamilyBuckets> choose_family_buckets(std::span<const Best> bests, std::span<const Transfers> measured,
                                                 double margin) {
  std::vector<FamilyBuckets> families = families_of(bests);
  for (FamilyBuckets& family : families) choose(family, measured, margin);
  return families;
}

std::vector<Transfer> transfers_of(const Best& best, const FamilyBuckets& family, std::span<const Transfers> measured) {
  std::vector<Transfer> transfers = transfers_in(family, measured);
  std::erase_if(transfers,
                [&](const Transfer& each) { return each.impl != best.config.impl || each.tuned_M != best.problem.M; });
  for (Transfer& each : transfers) {
    const auto place = std::find(family.Ms.begin(), family.Ms.end(), each.M);
    each.served = family.servers[place - family.Ms.begin()] == best.problem.M;
  }
  return transfers;
}

std::string to_line(const FamilyBuckets& family, double margin, bool name_family) {
  std::vector<std::string_view> names;
  for (const Impl impl : family.impls) names.push_back(to_string(impl));
  std::string text = fmt::format("{}: ", fmt::join(names, " and "));
  if (name_family) {
    const std::string line = to_line(family.problem);
    text.insert(0, line.substr(line.find(',') + 1) + ": ");  // without its M
  }
  const std::set<std::int64_t> kept(family.servers.begin(), family.servers.end());
  if (!family.any_tried)
    return text + fmt::format(
                      "each of {} M has a config of its own; they lie more than {} times apart, where no "
                      "other's is tried",
                      kept.size(), kTransferReach);
  if (kept.size() == family.Ms.size())
    return text +
           fmt::format("each of {} M has a config of its own; none does with its neighbour's at a loss of {:.1f} %",
                       kept.size(), 100 * margin);
  text += fmt::format("{} of {} M have a config of their own: {}; the others lose ", kept.size(), family.Ms.size(),
                      fmt::join(kept, ", "));
  // What is left of a tenth of a percent is the noise of its measurement.
  if (!family.worst || family.worst->regret->value < 0.0005) return text + "nothing with their neighbour's";
  return text + fmt::format("at most {:.1f} % with their neighbour's (M={} with M={}'s)",
                            100 * family.worst->regret->value, family.worst->M, family.worst->tuned_M);
}

TransferPlan plan_transfers(std::span<const Problem> problems, std::span<const Impl> impls, const Ceilings& ceilings) {
  // Bests of problems whose configs all differ.
  std::vector<Best> bests;
  for (const Problem& problem : problems)
    for (const Impl impl : impls)
      bests.push_back({.problem = problem,
                       .config = {.impl = impl,
                                  .stages = {{tunable_stages_of(impl).front(),
                                              {.engine = "", .config = {{"", static_cast<int>(bests.size())}}}}}}});
  TransferPlan plan;
  for (const Problem& problem : problems) {
    const std::size_t configs = winners_near(problem, bests).size();
    if (configs == 0) continue;
    ++plan.problems;
    plan.trials += configs;
    plan.likely_seconds += likely_transfer_seconds(problem, configs, ceilings);
  }
  return plan;
}

std::string to_string(const TransferPlan& plan, std::size_t devices) {
  if (plan.problems == 0) return "";
  return fmt::format(
      "for --auto-buckets, {} of them again with the configs of their neighbours: at most {} trials, about {}",
      plan.problems, plan.trials, format_duration(plan.likely_seconds / static_cast<double>(devices)));
}

}  // namespace moetune
