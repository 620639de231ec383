#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "cli/alternate_runs.h"
#include "cli/axis.h"
#include "cli/ceilings_cache.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/noise_floor.h"
#include "cli/option_values.h"
#include "cli/output.h"
#include "cli/problem_options.h"
#include "cli/record_files.h"
#include "cli/run_options.h"
#include "cli/runs_by_turns.h"
#include "compare/comparison.h"
#include "compare/formats.h"
#include "compare/history.h"
#include "compare/self_test.h"
#include "compare/side.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

/// Where the runs of --run leave their journals: a folder that stays, or one that is gone in the end.
class WorkFolder {
 public:
  explicit WorkFolder(const std::string& out) : path_(out), stays_(!out.empty()) {
    if (stays_) {
      make_writable_directory(path_);
      return;
    }
    std::string pattern = (fs::temp_directory_path() / "moe-tune-compare-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(fmt::format("cannot make a folder like '{}': give one with --out", pattern));
    path_ = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    if (!stays_) fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  bool stays_;
};

bool is_program(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

Side read_side(const std::string& name, const std::string& input) {
  const Records records = read_records({input});
  Side side = make_side(records.journals, records.best_files);
  if (side.rows.empty())
    throw Error(fmt::format("{}: no measured row in '{}': has the run come to its end?", name, input));
  return side;
}

constexpr std::string_view kSideNames[] = {"base", "head"};

/// Where a side's runs go, which must not be there yet.
fs::path new_journal(const fs::path& folder, std::string_view side) {
  const fs::path path = folder / fmt::format("{}.jsonl", side);
  std::error_code error;
  if (fs::exists(path, error))
    throw Error(fmt::format("'{}' is of an earlier comparison; give another --out", path.string()));
  return path;
}

/// The latest best configs that an argument of --run or --configs stands for, each in a file of its own, as `bench`
/// reads them.
std::vector<RunItem> config_items(const std::vector<std::string>& inputs, const fs::path& folder) {
  const Report report = read_report(inputs);
  std::vector<RunItem> items;
  for (const ReportRow& row : report.rows) {
    const fs::path path = write_best_file(folder, {.best = row.best, .environment = report.runs[row.run]});
    items.push_back({.problem = row.best.problem, .arguments = {path.string()}});
  }
  return items;
}

FailOn parse_fail_on(const std::string& names) {
  FailOn fail_on;
  if (names.empty()) return fail_on;
  for (const std::string_view name : split_list("--fail-on", names)) {
    if (name == "inconclusive")
      fail_on.inconclusive = true;
    else if (name == "warning")
      fail_on.warning = true;
    else
      throw Error(fmt::format("--fail-on: unknown '{}'; known: inconclusive, warning", name));
  }
  return fail_on;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void append_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::app | std::ios::binary);
  file << text;
  if (!file.flush()) warn(fmt::format("cannot append to '{}'", path));
}

class CompareCommand final : public Command {
 public:
  void add_options(CLI::App& app) override;
  int run(const Session& session) override;

 private:
  CompareOptions compare_options() const;
  GateResult compare(const Side& base, const Side& head, CompareOptions options) const;
  void check_options() const;
  bool are_programs() const;
  std::unique_ptr<PairedRuns> alternate_runs(const fs::path& folder) const;
  ConfigSide config_side(std::size_t side, const fs::path& folder) const;
  std::unique_ptr<PairedRuns> runs_by_turns(const Session& session, Device& device, const fs::path& folder) const;
  void log(std::string_view line) const;
  int run_self_test() const;
  GateResult run_pairs(const Session& session, const CompareOptions& options) const;
  void write(const GateResult& result, const FailOn& fail_on) const;

  std::vector<std::string> sides_;
  bool run_ = false, by_turns_ = false, self_test_ = false, across_ = false, quiet_ = false;
  int pairs_ = 7, max_pairs_ = 15;
  double margin_ = 2, mean_margin_ = 1, noise_ = 0;
  std::string fail_on_, history_, out_, markdown_, junit_, json_;
  std::vector<std::string> configs_;
  ProblemOptions problems_;
  ImplOptions impls_;
  DeviceOptions device_;
  TimingFlags timing_;
  CLI::App* app_ = nullptr;
};

void CompareCommand::add_options(CLI::App& app) {
  app_ = &app;
  app.allow_extras();  // --benchmark_* are for the runs
  app.add_option(
         "sides", sides_,
         "BASE and HEAD: journals, best-config files or folders with them; with --run two moe-tune binaries, or "
         "two of the former as configs to measure")
      ->type_name("BASE HEAD");
  app.add_flag("--run", run_, "Measure both sides here and now, in processes that alternate")->group("Running");
  app.add_flag("--by-turns", by_turns_,
               "Two configs: measure both in this process, on the same inputs by turns, instead of in processes that "
               "alternate: quicker, and at a power limit the clocks are those of both")
      ->group("Running");
  app.add_option("--pairs", pairs_, "Pairs of runs")->group("Running")->type_name("N")->capture_default_str();
  app.add_option("--max-pairs", max_pairs_, "Go on, 4 at a time, up to this many while a row is INCONCLUSIVE")
      ->group("Running")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--configs", configs_, "For two binaries: the configs that both of them run; PATHs as for BASE")
      ->group("Running")
      ->type_name("PATH");
  app.add_option("--out", out_, "Keep the runs' journals, base.jsonl and head.jsonl, in this folder")
      ->group("Running")
      ->type_name("DIR");
  problems_.add_to(app);
  impls_.add_to(app);
  device_.add_to(app);
  timing_.add_to(app);
  const auto add_percent = [&](const char* name, double& value, const char* text) {
    app.add_option(name, value, text)->group("Judging")->type_name("PERCENT")->capture_default_str();
  };
  add_percent("--margin", margin_, "How much longer a row may take");
  add_percent("--mean-margin", mean_margin_, "How much longer the geometric mean of all rows may take");
  add_percent("--noise", noise_,
              "A noise floor known beforehand, 0 for none; else what `doctor` found on the device counts");
  app.add_option("--fail-on", fail_on_, "Fail also on: inconclusive (exit code 4), warning (1)")
      ->group("Judging")
      ->type_name("LIST");
  app.add_flag("--across", across_, "Compare though driver, compiler or device differ")->group("Judging");
  app.add_flag("--self-test", self_test_,
               "Compare nothing: plant +5 % and +0 % into made-up runs and say whether these --pairs and margins catch "
               "the one and stay silent on the other")
      ->group("Judging");
  app.add_option(
         "--history", history_,
         "Compare head with the median of the last 20 runs in this folder as well, which only warns, and add it "
         "to them where the gate passes")
      ->group("Judging")
      ->type_name("DIR");
  const auto add_format = [&](const char* name, std::string& target, const char* text) {
    app.add_option(name, target, text)->group("Output")->type_name("FILE");
  };
  add_format("--markdown", markdown_, "Write the table to FILE rather than to stdout");
  add_format("--junit", junit_, "Write a JUnit XML test suite to FILE; '-' is stdout");
  add_format("--json", json_, "Write everything, for programs, to FILE; '-' is stdout");
  app.add_flag("-q,--quiet", quiet_, "Nothing but the results and errors")->group("Output");
  app.footer(
      "A row is SLOWER where the whole 95 % interval of time(head) / time(base), over pairs of runs, lies beyond the\n"
      "margin or the noise of these runs, whichever is larger; SAME within it; FASTER below it; else INCONCLUSIVE.\n"
      "Files with fewer than 5 runs a side have no pairs to tell noise from change: margins double, and SLOWER only\n"
      "warns. MISSING, CHANGED and ADDED rows are said and never dropped.\n"
      "The table goes to $GITHUB_STEP_SUMMARY too, the verdict to $GITHUB_OUTPUT; under GitHub Actions there are\n"
      "annotations. Options of Google Benchmark (--benchmark_min_time=…) pass through to the runs.\n\n"
      "Examples:\n"
      "  moe-tune compare --run old/moe-tune new/moe-tune --model qwen3-30b-a3b --M 1,16,256\n"
      "  moe-tune compare --run old/moe-tune new/moe-tune --configs results/nvidia-h200/best --junit gate.xml\n"
      "  moe-tune compare --run before.merged.json after.merged.json      # one binary, two configs\n"
      "  moe-tune compare --run --by-turns seed-1/ seed-2/                # all configs of two tunings\n"
      "  moe-tune compare last-week/journal.jsonl today/journal.jsonl --json gate.json\n"
      "  moe-tune compare --self-test --pairs 5 --margin 3                # would that see a slowdown of 5 %?\n"
      "Exit codes: 0 pass, 1 SLOWER, or a self-test that fails, 2 usage or input, 3 wrong results, 4 INCONCLUSIVE "
      "(with --fail-on inconclusive),\n"
      "5 not comparable (MISSING, CHANGED, nothing in common), 77 no such GPU, 130 interrupted.");
}

void CompareCommand::check_options() const {
  for (const std::string& extra : app_->remaining())
    if (!extra.starts_with("--benchmark_") || !run_ || by_turns_) fail_unknown_argument(*app_, extra);
  if (sides_.size() != 2)
    throw Error(fmt::format("two sides are needed, BASE and HEAD, not {}; e.g. `moe-tune compare old.jsonl new.jsonl`",
                            sides_.size()));
  if (!run_) {
    for (const CLI::Option* option : app_->get_options())
      if (const std::string group = option->get_group();
          option->count() > 0 &&
          (group == "Running" || group == "Problems" || group == "Device" || group == "Measuring"))
        throw Error(fmt::format("{} says how to measure, and without --run nothing is measured", option->get_name()));
    return;
  }
  if (pairs_ < 1 || max_pairs_ < pairs_)
    throw Error(fmt::format("--pairs {} --max-pairs {}: 1 or more was expected, and no more pairs than at most", pairs_,
                            max_pairs_));
}

CompareOptions CompareCommand::compare_options() const {
  return {.rule = {.margin = percent("--margin", margin_),
                   .mean_margin = percent("--mean-margin", mean_margin_),
                   .noise = percent("--noise", noise_)},
          .across = across_ || run_};  // on one machine a difference is part of what is compared
}

/// Where no noise floor is given, that which is known here of the devices that were measured.
GateResult CompareCommand::compare(const Side& base, const Side& head, CompareOptions options) const {
  if (app_->get_option("--noise")->count() == 0)
    for (const Side* side : {&base, &head})
      for (const Environment& run : side->runs)
        options.rule.noise = std::max(options.rule.noise, cached_noise_floor(run.device).value_or(0));
  return compare_sides(base, head, options);
}

bool CompareCommand::are_programs() const {
  const bool first = is_program(sides_[0]), second = is_program(sides_[1]);
  if (first != second)
    throw Error("--run: one side is a program and the other is none; give two binaries, or two configs");
  if (first && by_turns_) throw Error("--by-turns is for two configs; two binaries are processes of their own");
  if (first && configs_.empty() && problems_.empty())
    throw Error("--run: what are the binaries to measure? e.g. --configs best/, or --model qwen3-30b-a3b --M 1,16");
  if (!first && !(configs_.empty() && problems_.empty()))
    throw Error("--run: the configs to compare say what is measured; --configs and problems are for two binaries");
  return first;
}

std::unique_ptr<PairedRuns> CompareCommand::alternate_runs(const fs::path& folder) const {
  std::vector<std::string> options{
      "--impl",  impls_.names,  "--device", device_.id,    "--seed", fmt::format("{}", timing_.seed),
      "--cache", timing_.cache, "--launch", timing_.launch};
  const TimingOptions timing = timing_.timing();  // what is wrong is said here rather than by the first run
  if (timing.load != LoadState::lasting)          // a binary from before there was the option has no other
    options.insert(options.end(), {"--load", timing_.load});
  for (const std::string& extra : app_->remaining()) options.push_back(extra);

  const bool programs = are_programs();
  std::vector<RunItem> items;
  if (programs && !configs_.empty()) items = config_items(configs_, folder / "configs");
  if (programs && !problems_.empty())
    for (const Problem& problem : problems_.problems("compare --run"))
      items.push_back({.problem = problem, .arguments = {"--problem", to_line(problem)}});

  std::vector<Contender> both;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string name(kSideNames[i]);
    both.push_back({.name = name,
                    .binary = programs ? fs::absolute(sides_[i]) : own_executable(),
                    .items = programs ? items : config_items({sides_[i]}, folder / (name + "-configs")),
                    .options = options,
                    .journal = new_journal(folder, name)});
  }
  return std::make_unique<AlternateRuns>(std::move(both[0]), std::move(both[1]),
                                         [this](std::string_view line) { log(line); });
}

ConfigSide CompareCommand::config_side(std::size_t side, const fs::path& folder) const {
  const std::vector<Impl> impls = impls_.impls();
  ConfigSide result{.rows = {}, .journal = new_journal(folder, kSideNames[side])};
  for (const ReportRow& row : read_report({sides_[side]}).rows)
    if (std::find(impls.begin(), impls.end(), row.best.config.impl) != impls.end()) result.rows.push_back(row.best);
  if (result.rows.empty()) throw Error(fmt::format("'{}' has no config for --impl {}", sides_[side], impls_.names));
  return result;
}

std::unique_ptr<PairedRuns> CompareCommand::runs_by_turns(const Session& session, Device& device,
                                                          const fs::path& folder) const {
  TuneOptions options;
  options.seed = timing_.seed;
  options.timing = timing_.timing();
  options.ceilings = find_ceilings(device, false, [this](std::string_view line) { log(line); });
  ConfigSide base = config_side(0, folder), head = config_side(1, folder);
  return std::make_unique<RunsByTurns>(std::move(base), std::move(head), device, std::move(options), session.command,
                                       [this](std::string_view line) { log(line); });
}

void CompareCommand::log(std::string_view line) const {
  if (!quiet_) fmt::print(stderr, "{}\n", line);
}

GateResult CompareCommand::run_pairs(const Session& session, const CompareOptions& options) const {
  constexpr int kMorePairs = 4;
  const WorkFolder folder(out_);
  const InterruptGuard guard;
  std::unique_ptr<Device> device;
  if (by_turns_ && !are_programs()) device = device_.open(quiet_);
  const std::unique_ptr<PairedRuns> runs =
      device ? runs_by_turns(session, *device, folder.path()) : alternate_runs(folder.path());
  const auto compare_all = [&] {
    return compare(read_side("base", (folder.path() / "base.jsonl").string()),
                   read_side("head", (folder.path() / "head.jsonl").string()), options);
  };
  const auto add_pairs = [&](int pairs, const PairedRuns::IsWanted& is_wanted) {
    runs->add_pairs(pairs, is_wanted);
    if (InterruptGuard::interrupted()) throw Error("interrupted", static_cast<ExitCode>(kInterruptedExitCode));
    return compare_all();
  };

  GateResult result = add_pairs(pairs_, [](const Problem&) { return true; });
  while (runs->pairs() < max_pairs_) {
    const auto is_open = [&](const Problem& problem) {
      return std::any_of(result.rows.begin(), result.rows.end(), [&](const ComparedRow& row) {
        return row.judgement.finding == Finding::inconclusive && without_label(row.problem) == without_label(problem);
      });
    };
    if (result.count(Finding::inconclusive) == 0 || result.count(Finding::wrong) > 0) break;
    log(fmt::format("{} INCONCLUSIVE: more pairs", result.count(Finding::inconclusive)));
    result = add_pairs(std::min(kMorePairs, max_pairs_ - runs->pairs()), is_open);
  }
  return result;
}

void CompareCommand::write(const GateResult& result, const FailOn& fail_on) const {
  const std::string table = gate_markdown(result, fail_on);
  if (!junit_.empty()) write_output(junit_, gate_junit(result, fail_on));
  if (!json_.empty()) write_output(json_, gate_json(result, fail_on));
  const bool stdout_taken = junit_ == "-" || json_ == "-";
  if (!markdown_.empty())
    write_output(markdown_, table);
  else if (!stdout_taken)
    write_output("-", table);
  if (!stdout_taken && variable("GITHUB_ACTIONS") == "true") write_output("-", gate_annotations(result, fail_on));
  if (const std::string path = variable("GITHUB_STEP_SUMMARY"); !path.empty()) append_text(path, table);
  if (const std::string path = variable("GITHUB_OUTPUT"); !path.empty())
    append_text(path, gate_outputs(result, fail_on));
}

int CompareCommand::run_self_test() const {
  for (const CLI::Option* option : app_->get_options())
    if (const std::string name = option->get_name(); option->count() > 0 && name != "--self-test" &&
                                                     name != "--pairs" && name != "--margin" &&
                                                     name != "--mean-margin" && name != "--noise")
      throw Error(fmt::format("{} is about runs, and --self-test makes up its own", name));
  if (pairs_ < 1 || pairs_ > 1000) throw Error(fmt::format("--pairs {}: 1 to 1000 was expected", pairs_));
  const std::vector<PlantedSlowdown> results = self_test(compare_options(), pairs_);
  fmt::print("{}", to_text(results));
  const bool passed = std::all_of(results.begin(), results.end(), [](auto& each) { return each.as_expected; });
  return static_cast<int>(passed ? ExitCode{} : ExitCode::regression);
}

int CompareCommand::run(const Session& session) {
  if (self_test_) return run_self_test();
  check_options();
  const CompareOptions options = compare_options();
  const FailOn fail_on = parse_fail_on(fail_on_);
  const History history = history_.empty() ? History{} : read_history(history_);
  for (const std::string& warning : history.warnings) warn(warning);

  GateResult result =
      run_ ? run_pairs(session, options) : compare(read_side("base", sides_[0]), read_side("head", sides_[1]), options);
  if (!history_.empty()) judge_against(history, result);
  write(result, fail_on);
  const int code = gate_exit_code(result, fail_on);
  if (!history_.empty() && code == 0) append_to_history(history_, history_run(result));
  return code;
}

}  // namespace

std::unique_ptr<Command> make_compare() {
  return std::make_unique<CompareCommand>();
}

}  // namespace moetune
