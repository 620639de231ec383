#include "cli/search_options.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "results/warm_start_file.h"
#include "search/strategy.h"

namespace moetune {

void SearchOptions::add_to(CLI::App& app) {
  const std::string group = "Search";
  std::string names;
  for (const StrategyRow& row : strategies()) names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  const auto described = [](const Effort& each) {
    return fmt::format("{}: {} trials a stage and at most {:g} s a problem", each.name, each.trials, each.seconds);
  };
  app.add_option("--budget", budget,
                 "For the whole run: 60s, 10m, 500evals, or 20% of each search space (what --effort says; exhaustive: "
                 "all there is)")
      ->group(group)
      ->type_name("BUDGET");
  app.add_option("--effort", effort,
                 fmt::format("Where no budget is given. {}; {}; {}", described(kQuickEffort), described(kNormalEffort),
                             described(kFullEffort)))
      ->group(group)
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--strategy", strategy, names + "; see `moe-tune list strategies`")
      ->group(group)
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--warm-start", warm_start,
                 "Try configs from these first, the nearest in tokens and sizes: best-config files, or config files of "
                 "vLLM and SGLang for the engine mma; may be repeated")
      ->group(group)
      ->type_name("FILE")
      ->allow_extra_args(false);
}

std::optional<Budget> SearchOptions::run_budget() const {
  if (budget.empty()) return std::nullopt;
  return parse_budget(budget);
}

void SearchOptions::apply_to(TuneOptions& options) const {
  options.strategy = find_strategy(strategy).name;
  options.effort = parse_effort(effort);
  for (const std::string& path : warm_start)
    for (WarmConfig& warm : read_warm_start(path)) options.warm_start.push_back(std::move(warm));
}

}  // namespace moetune
