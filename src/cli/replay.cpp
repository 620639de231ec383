#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/axis.h"
#include "cli/command.h"
#include "cli/output.h"
#include "report/text_table.h"
#include "results/json.h"
#include "results/space_file.h"
#include "search/replay.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

struct Recording {
  std::string name;  ///< "qwen3-30b-a3b M=16 gate"
  SpaceFile file;
};

std::vector<Recording> read_recordings(const std::vector<std::string>& inputs) {
  std::vector<fs::path> paths;
  for (const fs::path input : inputs) {
    if (!fs::is_directory(input)) {
      paths.push_back(input);
      continue;
    }
    const std::size_t before = paths.size();
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(input))
      if (entry.path().string().ends_with(".space.json.gz")) paths.push_back(entry.path());
    if (paths.size() == before)
      throw Error(
          fmt::format("no recorded space (*.space.json.gz) in '{}': `moe-tune record` makes them", input.string()));
    std::sort(paths.begin() + static_cast<std::ptrdiff_t>(before), paths.end());
  }
  std::vector<Recording> recordings;
  for (const fs::path& path : paths) {
    SpaceFile file = read_space_file(path);
    const Problem& problem = file.space.problem;
    std::string name = fmt::format("{} M={} {}", problem.model.empty() ? "custom" : problem.model, problem.M,
                                   to_string(file.space.stage));
    recordings.push_back({.name = std::move(name), .file = std::move(file)});
  }
  return recordings;
}

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "never";
}

std::vector<TextTable::Cell> table_row(std::string_view strategy, std::string_view space, std::size_t configs,
                                       const ReplaySummary& summary) {
  const auto figure = [](const ReplaySummary::Figure& each, int digits, double scale = 1) {
    return TextTable::Cell{number(each.median * scale, digits) + ", " + number(each.p95 * scale, digits)};
  };
  return {{std::string(strategy)},
          {std::string(space)},
          {fmt::format("{}", configs)},
          figure(summary.evaluations_1, 0),
          figure(summary.evaluations_5, 0),
          figure(summary.seconds_1, 1),
          figure(summary.seconds_5, 1),
          figure(summary.regret, 2, 100),
          {fmt::format("{:.0f}", 100 * summary.within_1)}};
}

/// JSON has no infinity: what was never reached is null.
Json figure_json(const ReplaySummary::Figure& figure) {
  const auto value = [](double each) { return std::isfinite(each) ? Json(each) : Json(nullptr); };
  return {{"median", value(figure.median)}, {"p95", value(figure.p95)}};
}

Json summary_json(const ReplaySummary& summary) {
  return {{"runs", summary.runs},
          {"evaluations_to_1_percent", figure_json(summary.evaluations_1)},
          {"evaluations_to_5_percent", figure_json(summary.evaluations_5)},
          {"seconds_to_1_percent", figure_json(summary.seconds_1)},
          {"seconds_to_5_percent", figure_json(summary.seconds_5)},
          {"regret", figure_json(summary.regret)},
          {"ended_within_1_percent", summary.within_1},
          {"ended_within_5_percent", summary.within_5}};
}

class ReplayCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("inputs", inputs_, "Recorded spaces (*.space.json.gz, of `moe-tune record`), or folders of them")
        ->required()
        ->type_name("PATH");
    app.add_option("--strategy", strategies_, "Strategies to run, of `moe-tune list strategies` (all but exhaustive)")
        ->type_name("LIST");
    app.add_option("--seeds", seeds_, "Searches of each space by each strategy")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--budget", budget_, "For each search: 5% of the configs, 50evals, or 10s of simulated time")
        ->type_name("BUDGET")
        ->capture_default_str();
    app.add_option("--noise", noise_, "Times the spread that the recorded measurements had; 0: none")
        ->type_name("X")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 100.0));
    app.add_option("--json", json_, "Also write it as JSON; '-' prints it in place of the table")->type_name("FILE");
    app.footer(
        "Each strategy searches each space as `tune` would, with the recorded times for measurements and their spread\n"
        "for noise. Told, as median and 95th percentile over seeds: evaluations, and seconds of compiling and\n"
        "measuring, until the leader is within 1 % and 5 % of the fastest config recorded; and how far off it is when\n"
        "the budget is spent.\n\n"
        "Examples:\n"
        "  moe-tune replay results/spaces\n"
        "  moe-tune replay results/spaces --strategy halving,random --seeds 500 --budget 10% --json -");
  }

  int run(const Session& session) override {
    std::vector<const StrategyRow*> rows;
    if (strategies_.empty()) {
      for (const StrategyRow& row : strategies())
        if (!row.takes_all) rows.push_back(&row);
    } else {
      for (const std::string_view name : split_list("--strategy", strategies_)) rows.push_back(&find_strategy(name));
    }
    const ReplayOptions options{.budget = parse_budget(budget_), .noise = noise_};

    const std::vector<Recording> recordings = read_recordings(inputs_);
    std::vector<ReplaySpace> spaces;
    for (const Recording& recording : recordings) {
      const std::size_t legal = legal_configs(recording.file.space, engines());
      if (recording.file.space.entries.size() < legal)
        warn(fmt::format("{}: {} of {} legal configs were recorded; the optimum is that of these", recording.name,
                         recording.file.space.entries.size(), legal));
      spaces.emplace_back(recording.file.space, engines());
    }
    const auto runs = replay(rows, spaces, options, static_cast<std::size_t>(seeds_));

    using enum TextTable::Align;
    TextTable table({{"strategy", left},
                     {"space", left},
                     {"configs"},
                     {"evals to 1 %"},
                     {"evals to 5 %"},
                     {"s to 1 %"},
                     {"s to 5 %"},
                     {"% off at end"},
                     {"ended within 1 %"}});
    Json results = Json::array();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<ReplayRun> all;
      std::size_t configs = 0;
      for (std::size_t j = 0; j < spaces.size(); ++j) {
        const ReplaySummary summary = summarise(runs[i][j]);
        const std::size_t size = spaces[j].space().configs.size();
        table.add(table_row(rows[i]->name, recordings[j].name, size, summary));
        Json json{{"strategy", rows[i]->name},
                  {"problem", to_json(recordings[j].file.space.problem)},
                  {"stage", to_string(recordings[j].file.space.stage)},
                  {"configs", size},
                  {"optimum_us", spaces[j].optimum_us()},
                  {"optimum", to_json(spaces[j].space().configs[spaces[j].optimum()])}};
        json.update(summary_json(summary));
        results.push_back(std::move(json));
        all.insert(all.end(), runs[i][j].begin(), runs[i][j].end());
        configs += size;
      }
      const ReplaySummary summary = summarise(all);
      table.add(table_row(rows[i]->name, "all", configs, summary));
      Json json{{"strategy", rows[i]->name}, {"problem", nullptr}, {"configs", configs}};
      json.update(summary_json(summary));
      results.push_back(std::move(json));
    }
    const Json document{{"schema", "moe-tune/replay"},
                        {"schema_version", kSchemaVersion},
                        {"budget", to_string(options.budget)},
                        {"noise", options.noise},
                        {"seeds", seeds_},
                        {"results", std::move(results)}};
    if (!json_.empty()) write_output(json_, document.dump(2) + "\n");
    if (json_ != "-")
      fmt::print("{}median, 95th percentile over {} seeds; budget {}\n", table.to_string(session.colours), seeds_,
                 to_string(options.budget));
    return 0;
  }

 private:
  std::vector<std::string> inputs_;
  std::string strategies_, budget_ = "5%", json_;
  int seeds_ = 100;
  double noise_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_replay() {
  return std::make_unique<ReplayCommand>();
}

}  // namespace moetune
