#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/ceilings_cache.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/problem_options.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "cli/search_options.h"
#include "report/answer.h"
#include "report/exporters.h"
#include "results/best_file.h"
#include "results/journal.h"
#include "search/tune.h"

namespace moetune {
namespace {

/// Journals what happens, shows how far it has come, and listens for Ctrl-C.
class TuneRun final : public TuneEvents {
 public:
  TuneRun(JournalWriter& journal, Progress& progress, std::size_t problems, bool verbose)
      : journal_(journal), progress_(progress), problems_(problems), verbose_(verbose) {}

  void begin(std::size_t index) { index_ = index; }
  void add_bests(const std::vector<Best>& bests) {
    for (const Best& best : bests) {
      journal_.add(best);
      seen_.bests.push_back({.record = best, .run = 0, .line = 0});
    }
  }

  void on_plan(const Problem&, const TunePlan& plan) override {
    for (const TunePlan::StagePlan& stage : plan.stages) {
      if (stage.pinned) {
        progress_.note(fmt::format("  {}: pinned", to_string(stage.stage)));
        continue;
      }
      std::string line = fmt::format("  {}: {} configs", to_string(stage.stage), stage.legal);
      std::size_t rejected = 0;
      for (const auto& [reason, count] : stage.rejected) rejected += count;
      if (rejected > 0) line += fmt::format(" ({} more cannot run here)", rejected);
      if (stage.trials) line += fmt::format(", at most {} trials", *stage.trials);
      progress_.note(line);
      for (const std::string& passed_over : stage.passed_over) progress_.note("    " + passed_over);
      if (!verbose_) continue;
      for (const auto& [reason, count] : stage.rejected) progress_.note(fmt::format("    {} {}", count, reason));
    }
    if (plan.seconds > 0)
      progress_.note(fmt::format("  strategy {}, at most {}", plan.strategy, format_duration(plan.seconds)));
  }

  void on_trial(const Trial& trial) override {
    journal_.add(trial);
    seen_.trials.push_back({.record = trial, .run = 0, .line = 0});
  }

  void on_progress(const TuneProgress& progress) override {
    const double here = progress.expected > 0
                            ? std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.expected))
                            : 0;
    std::string text = progress.phase;
    if (problems_ > 1) text = fmt::format("problem {} of {}: {}", index_ + 1, problems_, text);
    if (progress.best_us) text += fmt::format(", best {:.1f} µs {}", *progress.best_us, progress.best_label);
    progress_.update((static_cast<double>(index_) + here) / static_cast<double>(problems_), text);
  }

  void on_failure(const Problem& problem, Impl impl, const std::string& reason) override {
    progress_.clear();
    warn(fmt::format("{}: {} has no working config: {}", to_line(problem), to_string(impl), reason));
    without_config_ = true;
  }

  bool should_stop() override { return InterruptGuard::interrupted(); }

  bool without_config() const { return without_config_; }
  std::size_t trials() const { return seen_.trials.size(); }
  /// What this run found.
  Report report(const Environment& environment) {
    seen_.runs = {{.id = journal_.run(), .environment = environment}};
    return make_report({&seen_, 1}, {});
  }

 private:
  JournalWriter& journal_;
  Progress& progress_;
  std::size_t problems_;
  bool verbose_;
  std::size_t index_ = 0;
  bool without_config_ = false;
  Journal seen_;
};

class TuneCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    problems_.add_to(app);
    impls_.add_to(app);
    device_.add_to(app);
    spaces_.add_to(app);
    pinned_.add_to(app, "Pin a stage to one config, so that it is not searched; may be repeated");
    search_.add_to(app);
    timing_.add_to(app);
    app.add_option("--out", out_, "Folder for journal, best configs and report (moe-tune-results/<device>)")
        ->group("Output")
        ->type_name("DIR");
    app.add_option("--json", json_, "Also write all results as JSON; '-' prints it in place of the table")
        ->group("Output")
        ->type_name("FILE");
    app.add_flag("-q,--quiet", quiet_, "No progress and no plan, only results and errors")->group("Output");
    app.add_flag("-v,--verbose", verbose_, "Also say why configs cannot run")->group("Output");
    app.footer(
        "Examples:\n"
        "  moe-tune tune --model qwen3-30b-a3b --M 1,16 --budget 60s\n"
        "  moe-tune tune --model mixtral-8x7b --tp 8 --M pow2:0:12 --routing uniform --routing zipf:1.0\n"
        "  moe-tune tune --M 64 --K 2048 --N1 1536 --E 128 --topk 8 --dtype fp16 -c BLOCK_SIZE_M=16,32\n"
        "  moe-tune tune --model qwen3-30b-a3b --M 4096 --engine mma\n"
        "  moe-tune tune --batch problems.txt --device cuda:1 --out results/h200 --json - -q\n\n"
        "Each implementation is searched with the same budget, every config is verified before it is timed, and the\n"
        "winners are measured against each other in the same rounds. Results go to stdout, progress to stderr.\n"
        "Exit codes: 0 success, 2 bad input or a problem that failed, 3 an implementation without a correct config,\n"
        "77 no such GPU, 130 interrupted (what was found is kept).");
  }

  int run(const Session& session) override;

 private:
  ProblemOptions problems_;
  ImplOptions impls_;
  DeviceOptions device_;
  SpaceOptions spaces_;
  StageConfigOptions pinned_;
  TimingFlags timing_;
  SearchOptions search_;
  std::string out_, json_;
  bool quiet_ = false, verbose_ = false;
};

int TuneCommand::run(const Session& session) {
  // Everything that can be wrong with the command line is found before a device is opened.
  const std::vector<Problem> problems = problems_.problems("tune");
  TuneOptions options;
  options.impls = impls_.impls();
  options.seed = timing_.seed;
  options.timing = timing_.timing();
  search_.apply_to(options);
  options.pinned = pinned_.parse();
  const std::optional<Budget> budget = search_.run_budget();

  const auto device = device_.open(quiet_);
  const SpaceOptions::Spaces spaces = spaces_.spaces(device->info());
  options.engines = spaces.engines;
  options.spaces = spaces.by_engine;
  options.stage_spaces = spaces.by_stage;

  Progress progress(Progress::kind_for_stderr(quiet_));
  const std::filesystem::path folder =
      out_.empty() ? default_results_folder(device->info()) : std::filesystem::path(out_);
  make_writable_directory(folder);
  options.ceilings = find_ceilings(*device, false, [&](std::string_view line) { progress.note(line); });
  const Environment environment = describe_environment(device->info(), options.ceilings, session.command);
  JournalWriter journal(folder / "journal.jsonl", environment);
  progress.note(fmt::format("tuning {} problem{} on {} ({}), ceilings {:.0f} GB/s and {:.1f} TFLOP/s; results in {}",
                            problems.size(), problems.size() == 1 ? "" : "s", device->info().name, device->info().id,
                            options.ceilings.read_bytes_per_s * 1e-9, options.ceilings.matrix_flops_per_s * 1e-12,
                            folder.string()));

  const InterruptGuard interrupts;
  TuneRun run(journal, progress, problems.size(), verbose_);
  const auto start = std::chrono::steady_clock::now();
  int exit_code = 0;
  double best_share = 0;
  for (std::size_t i = 0; i < problems.size() && !InterruptGuard::interrupted(); ++i) {
    const Problem& problem = problems[i];
    run.begin(i);
    progress.note(to_line(problem));
    if (budget) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      options.budget = share_of(*budget, seconds, run.trials(), problems.size() - i);
    }
    try {
      const std::vector<Best> bests = tune_problem(*device, problem, options, run);
      run.add_bests(bests);
      for (const Best& best : bests) {
        best_share = std::max(best_share, best.roofline_fraction());
        write_best_file(folder / "best", {.best = best, .environment = environment});
      }
    } catch (const Error& error) {
      progress.clear();
      warn(fmt::format("{}: {}", to_line(problem), error.what()));
      exit_code = static_cast<int>(error.code());
    }
  }
  progress.clear();

  const Report report = run.report(environment);
  if (!report.rows.empty()) {
    // The folder's report covers every run in its journal, not only this one.
    const Journal all = read_journal(journal.path());
    for (const std::string& warning : all.warnings) warn(warning);
    write_file_atomically(folder / "report.md", to_markdown(make_report({&all, 1}, {})));
  }
  const bool json_on_stdout = json_ == "-";
  if (!json_.empty()) write_output(json_, to_json_text(report));
  if (!json_on_stdout)
    fmt::print("{}{}{}\n", to_console(report, session.colours), report.rows.empty() ? "" : "\n", answer_line(report));
  std::fflush(stdout);

  constexpr double kNoise = 0.05;
  if (best_share > 1 + kNoise)
    warn(
        fmt::format("{:.2f} of the roofline was reached: the ceilings are too low, measured perhaps while the machine "
                    "was busy; `moe-tune doctor --measure` measures them again",
                    best_share));
  if (InterruptGuard::interrupted()) {
    warn(fmt::format("interrupted; what was found is in {}", folder.string()));
    return kInterruptedExitCode;
  }
  if (exit_code == 0 && run.without_config()) exit_code = static_cast<int>(ExitCode::wrong_result);
  return exit_code;
}

}  // namespace

std::unique_ptr<Command> make_tune() {
  return std::make_unique<TuneCommand>();
}

}  // namespace moetune
