#include <algorithm>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "backend/device_ids.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/subprocess.h"
#include "cli/ceilings_cache.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/interrupt.h"
#include "cli/noise_floor.h"
#include "cli/option_values.h"
#include "cli/output.h"
#include "cli/problem_options.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "cli/search_options.h"
#include "cli/shard.h"
#include "cli/tune_plan.h"
#include "cli/tune_run.h"
#include "isolation/in_process.h"
#include "isolation/supervisor.h"
#include "isolation/worker.h"
#include "jit/compile_pool.h"
#include "report/answer.h"
#include "report/exporters.h"
#include "results/past.h"
#include "results/repro.h"
#include "search/tune.h"

namespace moetune {
namespace {

/// Options that do not change what is found.
constexpr std::string_view kFreeOptions[] = {"--help",          "--device",          "--out",     "--json",
                                             "--quiet",         "--verbose",         "--resume",  "--isolation",
                                             "--trial-timeout", "--compile-timeout", "--dry-run", "--shard",
                                             "--auto-buckets",  "--bucket-margin"};

class TuneCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app_ = &app;
    problems_.add_to(app);
    impls_.add_to(app);
    device_.add_to(app, "; cuda:0,1 or cuda:all: several at once");
    spaces_.add_to(app);
    pinned_.add_to(app, "Pin a stage to one config, so that it is not searched; may be repeated");
    search_.add_to(app);
    timing_.add_to(app);
    app.add_option(
           "--isolation", isolation_,
           "on: a process of its own drives the device, others compile, and a config that crashes or hangs them "
           "costs only its own trial; off: all in this process, for debuggers and profilers")
        ->group("Isolation")
        ->type_name("on|off")
        ->capture_default_str();
    app.add_option("--trial-timeout", trial_timeout_,
                   "A config hangs where it is silent for so many seconds, and 100 times what a run takes at the "
                   "roofline")
        ->group("Isolation")
        ->type_name("S")
        ->capture_default_str();
    app.add_option("--compile-timeout", compile_timeout_, "A kernel that takes longer to compile is given up")
        ->group("Isolation")
        ->type_name("S")
        ->capture_default_str();
    app.add_option(
           "--shard", shard_name_,
           "Only part I of N of the problems, for several hosts; auto: as a Slurm job array or an indexed job of "
           "Kubernetes says. `moe-tune merge` joins what they found")
        ->group("Problems")
        ->type_name("I/N");
    app.add_flag(
           "--auto-buckets", auto_buckets_,
           fmt::format("Keep best-config files for as few M as it takes, each of which serves its neighbours as "
                       "well. When all are tuned, beyond the --budget, the best configs of each M are measured at "
                       "the M up to {} times as large and as small; --resume measures what is missing",
                       kTransferReach))
        ->group("Buckets");
    app.add_option(
           "--bucket-margin", bucket_margin_,
           "How much longer an M may take with the config of the nearest M that keeps its own, if the noise floor "
           "of the device is not more")
        ->group("Buckets")
        ->type_name("PERCENT")
        ->capture_default_str();
    app.add_flag("--dry-run", dry_run_, "Say what would be done, and how long it is likely to take; measure nothing")
        ->group("Output");
    app.add_flag("--worker", worker_)->group("");  // for the processes that drive devices
    app.add_option("--out", out_, "Folder for journal, best configs and report (moe-tune-results/<device>)")
        ->group("Output")
        ->type_name("DIR");
    app.add_flag("--resume", resume_,
                 "Go on with the last tuning in the folder, which had the same options, where it ended or was killed; "
                 "begin where there is none")
        ->group("Output");
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
        "  moe-tune tune --batch problems.txt --device cuda:1 --out results/h200 --json - -q\n"
        "  moe-tune tune --model deepseek-v3 --M pow2:0:12 --device cuda:all --resume\n"
        "  moe-tune tune --model qwen3-30b-a3b --M pow2:0:14 --auto-buckets --out tuned\n\n"
        "Each implementation is searched with the same budget, every config is verified before it is timed, and the\n"
        "winners are measured against each other in the same rounds. Results go to stdout, progress to stderr.\n"
        "Exit codes: 0 success, 2 bad input or a problem that failed, 3 an implementation without a correct config,\n"
        "77 no such GPU, 130 interrupted (what was found is kept).");
  }

  int run(const Session& session) override;

 private:
  /// Reads those options that need no device.
  void check_options();
  TuneOptions options_on(const DeviceInfo& device, const Ceilings& ceilings) const;
  /// --dry-run
  int print_plan(TuneGoal goal) const;
  /// Serves as the process that drives a device.
  int work() const;
  std::unique_ptr<Driver> start_driver(const Session& session, const std::function<void(std::string_view)>& note) const;
  /// What a later --resume compares itself with.
  TuningKey describe(const std::vector<Problem>& problems) const;
  /// Prints and writes what was found. Returns the exit code.
  int conclude(const TuneRun& run, const std::vector<std::string>& buckets, const Session& session) const;

  CLI::App* app_ = nullptr;
  TuneOptions options_;
  Shard shard_;
  ProblemOptions problems_;
  ImplOptions impls_;
  DeviceOptions device_;
  SpaceOptions spaces_;
  StageConfigOptions pinned_;
  TimingFlags timing_;
  SearchOptions search_;
  std::string out_, json_, isolation_ = "on", shard_name_;
  double bucket_margin_ = 1;
  double trial_timeout_ = Patience{}.seconds, compile_timeout_ = 60;
  bool worker_ = false, dry_run_ = false, auto_buckets_ = false, resume_ = false, quiet_ = false, verbose_ = false;
};

int TuneCommand::run(const Session& session) {
  // Everything that can be wrong with the command line is found before a device is opened.
  const std::vector<Problem> all = problems_.problems("tune");
  if (!shard_name_.empty()) shard_ = parse_shard(shard_name_, environment_variable);
  TuneGoal goal{.impls = impls_.impls(), .problems = problems_of(shard_, all), .problems_in_all = all.size()};
  goal.budget = search_.run_budget();
  check_options();
  if (worker_) return work();
  if (dry_run_) return print_plan(goal);

  Progress progress(Progress::kind_for_stderr(quiet_));
  const auto note = [&](std::string_view line) { progress.note(line); };
  const std::unique_ptr<Driver> driver = start_driver(session, note);
  const OpenedDevice& first = driver->opened().front();
  device_.tell_choice(first.device, quiet_);
  goal.folder = out_.empty() ? default_results_folder(first.device) : std::filesystem::path(out_);
  make_writable_directory(goal.folder);
  goal.tuning = describe(all);
  std::optional<Past> past;
  if (resume_) past = read_past(goal.folder / "journal.jsonl", goal.tuning.options);

  if (auto_buckets_)
    goal.bucket_margin =
        std::max(percent("--bucket-margin", bucket_margin_), cached_noise_floor(first.device).value_or(0));

  const InterruptGuard interrupts;
  TuneRun run(goal, std::move(past), progress, session.command, verbose_);
  std::vector<TaskSource*> sources;
  for (const OpenedDevice& each : driver->opened()) sources.push_back(&run.add_device(each.device, each.ceilings));
  run.announce();
  if (resume_ && !run.goes_on()) note("nothing to go on with: beginning");
  std::vector<std::string> buckets;
  try {
    driver->run(sources);
    if (const std::string account = run.account(); !account.empty()) note(account);
    if (auto_buckets_) {
      if (run.begin_transfers()) driver->run(sources);
      progress.clear();
      buckets = run.keep_buckets();
    }
  } catch (const Error& error) {
    run.fail(error);
  }
  progress.clear();
  return conclude(run, buckets, session);
}

int TuneCommand::print_plan(TuneGoal goal) const {
  const std::unique_ptr<Device> device = open_device(device_ids(device_.id).front());
  const DeviceInfo& info = device->info();
  const std::optional<Ceilings> ceilings = cached_ceilings(info);
  const TuneOptions options = options_on(info, ceilings.value_or(Ceilings{}));
  const std::size_t devices = device_ids(device_.id).size();
  goal.folder = out_.empty() ? default_results_folder(info) : std::filesystem::path(out_);
  PlanTotal total;
  for (const Problem& problem : goal.problems) {
    TuneOptions of_problem = options;
    of_problem.budget = budget_of_one(goal, devices, 0, goal.problems.size());
    const TunePlan plan = plan_problem(info, problem, of_problem);
    total.add(plan);
    fmt::print("{}\n", to_line(problem));
    for (const std::string& line : plan_lines(plan, verbose_)) fmt::print("{}\n", line);
    fmt::print("  -> {}\n", answer_files(goal, problem));
  }
  std::string then;
  if (auto_buckets_)
    then = to_string(plan_transfers(goal.problems, goal.impls, ceilings.value_or(Ceilings{})), devices);
  fmt::print(
      "{}{}{}{}\n", to_string(total, devices), then.empty() ? "" : "; then, ", then,
      ceilings ? "" : "; the device's ceilings are not known (`moe-tune doctor --measure`), so it may be longer");
  return 0;
}

void TuneCommand::check_options() {
  options_.impls = impls_.impls();
  options_.seed = timing_.seed;
  options_.timing = timing_.timing();
  search_.apply_to(options_);
  options_.pinned = pinned_.parse();
  percent("--bucket-margin", bucket_margin_);
  if (!auto_buckets_ && app_->get_option("--bucket-margin")->count() > 0)
    throw Error("--bucket-margin says which M keep a config, and without --auto-buckets all do");
  if (auto_buckets_ && !shard_name_.empty())
    throw Error(
        "--auto-buckets compares the configs of all M of a model, of which a shard has but some: tune them all on one "
        "host (--device cuda:all takes all its GPUs), or leave --auto-buckets out");
  if (isolation_ != "on" && isolation_ != "off")
    throw Error(fmt::format("--isolation '{}': give on or off", isolation_));
  if (!(trial_timeout_ > 0)) throw Error("--trial-timeout must be more than 0 seconds");
  if (!(compile_timeout_ > 0)) throw Error("--compile-timeout must be more than 0 seconds");
}

TuneOptions TuneCommand::options_on(const DeviceInfo& device, const Ceilings& ceilings) const {
  TuneOptions options = options_;
  const SpaceOptions::Spaces spaces = spaces_.spaces(device);
  options.engines = spaces.engines;
  options.spaces = spaces.by_engine;
  options.stage_spaces = spaces.by_stage;
  options.ceilings = ceilings;
  options.noise_floor = cached_noise_floor(device).value_or(0);
  return options;
}

int TuneCommand::work() const {
  const InterruptGuard interrupts;
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches the supervisor too, which passes it on as SIGTERM
  ParentChannel supervisor;
  const auto compilers =
      std::make_shared<CompilePool>(std::vector{own_executable().string(), std::string(kCompileJobsArgument)},
                                    std::thread::hardware_concurrency(), compile_timeout_);
  run_worker(supervisor, {.open = [&](std::string_view id) { return open_device(id, compilers); },
                          .options =
                              [this](Device& device, const auto& note) {
                                return options_on(device.info(), find_ceilings(device, false, note));
                              },
                          .should_stop = InterruptGuard::interrupted,
                          // A pipeline has four kernels at most that prepare() may not have compiled.
                          .patience = {.seconds = trial_timeout_, .build_seconds = 4 * compile_timeout_}});
  return 0;
}

std::unique_ptr<Driver> TuneCommand::start_driver(const Session& session,
                                                  const std::function<void(std::string_view)>& note) const {
  if (isolation_ == "off") {
    if (device_ids(device_.id).size() > 1)
      throw Error("--isolation off: one process drives one device; give one --device");
    std::unique_ptr<Device> device = open_device(device_.id);
    TuneOptions options = options_on(device->info(), find_ceilings(*device, false, note));
    return std::make_unique<InProcess>(std::move(device), std::move(options));
  }
  std::vector<std::string> command = session.command;
  command.front() = own_executable().string();
  command.emplace_back("--worker");
  return std::make_unique<Supervisor>(std::move(command), device_ids(device_.id), note);
}

TuningKey TuneCommand::describe(const std::vector<Problem>& problems) const {
  TuningKey tuning{.id = new_tuning_id(), .options = option_values(*app_, kFreeOptions)};
  Digest digest;  // of what the options' files hold
  for (const Problem& problem : problems) digest.add(to_line(problem));
  tuning.options["problems"] = digest.hex();
  // A tuning from before there was the option goes on.
  if (options_.timing.load == LoadState::lasting) tuning.options.erase("--load");
  if (shard_.count > 1) tuning.options["--shard"] = to_string(shard_);
  return tuning;
}

int TuneCommand::conclude(const TuneRun& run, const std::vector<std::string>& buckets, const Session& session) const {
  const Report report = run.report();
  if (!report.rows.empty()) {
    // The folder's report covers every run in its journal, not only this one.
    const Journal all = read_journal(run.folder() / "journal.jsonl");
    for (const std::string& warning : all.warnings) warn(warning);
    write_file_atomically(run.folder() / "report.md", to_markdown(make_report({&all, 1}, {})));
  }
  const bool json_on_stdout = json_ == "-";
  if (!json_.empty()) write_output(json_, to_json_text(report));
  if (!json_on_stdout) {
    fmt::print("{}{}", to_console(report, session.colours), report.rows.empty() ? "" : "\n");
    for (const std::string& line : buckets) fmt::print("{}\n", line);
    fmt::print("{}\n", answer_line(report));
  }
  std::fflush(stdout);

  constexpr double kNoise = 0.05;
  double best_share = 0;
  for (const ReportRow& row : report.rows) best_share = std::max(best_share, row.best.roofline_fraction());
  if (best_share > 1 + kNoise)
    warn(
        fmt::format("{:.2f} of the roofline was reached: the ceilings are too low, measured perhaps while the machine "
                    "was busy; `moe-tune doctor --measure` measures them again",
                    best_share));
  if (InterruptGuard::interrupted()) {
    std::string again;
    for (const std::string& word : session.command) again += shell_quote(word) + " ";
    warn(fmt::format("interrupted; what was found is in {}; go on with: {}{}", run.folder().string(), again,
                     resume_ ? "" : "--resume"));
    return kInterruptedExitCode;
  }
  return run.exit_code();
}

}  // namespace

std::unique_ptr<Command> make_tune() {
  return std::make_unique<TuneCommand>();
}

}  // namespace moetune
