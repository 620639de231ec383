#include <algorithm>
#include <iterator>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/axis.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/corner_problems.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/problem_options.h"
#include "cli/progress.h"
#include "cli/random_problems.h"
#include "cli/run_options.h"
#include "cli/verified_workload.h"
#include "cli/verify_random.h"
#include "report/text_table.h"
#include "results/best_file.h"
#include "results/names.h"
#include "results/repro.h"

namespace moetune {
namespace {

constexpr std::string_view kRed = "\x1b[31m";

/// A problem and the pipeline configs to check on it; `configs` of each implementation.
struct Check {
  Problem problem;
  std::vector<PipelineConfig> configs;
};

/// `count` legal configs drawn from the engine's space, one after the other in each stage.
std::vector<PipelineConfig> sample_configs(const Problem& problem, Impl impl, const DeviceInfo& device,
                                           const SpaceOptions::Spaces& spaces, int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<PipelineConfig> configs;
  for (const Engine* engine : spaces.engines) {
    for (int i = 0; i < count; ++i) {
      PipelineConfig config{.impl = impl, .stages = {}};
      for (const Stage stage : tunable_stages_of(impl))
        if (auto drawn = draw_config(random, spaces, *engine, stage, problem, device))
          config.stages.emplace(stage, std::move(*drawn));
      if (config.stages.size() == tunable_stages_of(impl).size()) configs.push_back(std::move(config));
    }
  }
  return configs;
}

class VerifyCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("best-config", best_files_, "Best-config files to check")->type_name("FILE");
    problems_.add_to(app);
    impls_.add_to(app);
    device_.add_to(app);
    configs_.add_to(app,
                    "The config of a stage (gemm1, gate, final or mlp); where not given, the first guess of each engine "
                    "that can run it");
    spaces_.add_to(app);
    app.add_option("--samples", samples_,
                   "Also this many random legal configs for each problem, implementation and engine")
        ->group("Configs")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--random", random_,
                   "This many random small problems with random legal configs of --engine, --impl and --fill; what is "
                   "wrong is printed with the command that repeats it")
        ->group("Problems")
        ->type_name("N");
    app.add_option("--fill", fills_,
                   "Input data: random, exact_integer (whose one right answer is known to the last bit)")
        ->group("Measuring")
        ->type_name("LIST")
        ->capture_default_str();
    add_seed_option(app, seed_);
    app.add_flag("-q,--quiet", quiet_, "Print what fails and the count, not every line")->group("Output");
    app.footer(
        "Without a problem: a set of small corner shapes. The reference is computed on the host in fp64; on large "
        "problems\n"
        "for a sample of tokens (`rows` says how many). l2, row and element are the relative error over all rows, of "
        "the\n"
        "worst row, and of the worst element in units of its tolerance.\n\n"
        "Examples:\n"
        "  moe-tune verify\n"
        "  moe-tune verify --device cuda:0 --samples 5\n"
        "  moe-tune verify --device cuda:0 --random 10000 --seed 7\n"
        "  moe-tune verify --model gpt-oss-120b --M 1,100\n"
        "  moe-tune verify moe-tune-results/*/best/*.json\n"
        "Exit codes: 0 all are right, 3 some are not, 2 bad input, 77 no such GPU, 130 interrupted.");
  }

  int run(const Session& session) override;

 private:
  std::vector<Check> checks(const DeviceInfo& device) const;
  int run_random(Device& device, const std::vector<Fill>& fills, bool colours) const;

  std::vector<std::string> best_files_;
  ProblemOptions problems_;
  ImplOptions impls_;
  DeviceOptions device_;
  StageConfigOptions configs_;
  SpaceOptions spaces_;
  int samples_ = 0;
  std::optional<std::int64_t> random_;
  std::string fills_ = "random,exact_integer";
  std::uint64_t seed_ = 1;
  bool quiet_ = false;
};

std::vector<Check> VerifyCommand::checks(const DeviceInfo& device) const {
  const SpaceOptions::Spaces spaces = spaces_.spaces(device);
  std::vector<Check> checks;
  for (const std::string& path : best_files_) {
    const Best best = read_best_file(path).best;
    checks.push_back(
        {.problem = best.problem,
         .configs = {complete_config(best.problem, best.config.impl, best.config.stages, device, spaces.engines)}});
  }
  if (!best_files_.empty() && problems_.empty()) return checks;
  const std::map<Stage, StageConfig> given = configs_.parse();
  for (const Problem& problem : problems_.empty() ? corner_problems() : problems_.problems("verify")) {
    Check check{.problem = problem, .configs = {}};
    for (const Impl impl : impls_.impls()) {
      // With each engine's first guess; where an engine cannot do a stage, with another's.
      for (const Engine* engine : spaces.engines) {
        std::vector<const Engine*> order{engine};
        std::copy_if(spaces.engines.begin(), spaces.engines.end(), std::back_inserter(order),
                     [&](const Engine* other) { return other != engine; });
        PipelineConfig config = complete_config(problem, impl, given, device, order);
        if (std::find(check.configs.begin(), check.configs.end(), config) == check.configs.end())
          check.configs.push_back(std::move(config));
      }
      for (PipelineConfig& config : sample_configs(problem, impl, device, spaces, samples_, seed_))
        check.configs.push_back(std::move(config));
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

int VerifyCommand::run_random(Device& device, const std::vector<Fill>& fills, bool colours) const {
  const FamilySource source{.device = device,
                            .spaces = spaces_.spaces(device.info()),
                            .impls = impls_.impls(),
                            .fills = fills,
                            .given = configs_.parse(),
                            .seed = seed_};
  const std::size_t count = static_cast<std::size_t>(*random_);
  Progress progress(Progress::kind_for_stderr(quiet_));
  const InterruptGuard interrupts;
  bool has_failed = false;
  const RandomEvents events{
      .on_failure =
          [&](const Family::Member& member, const PipelineConfig& config, const Failure& failure) {
            has_failed = true;
            progress.clear();
            fmt::print("{}FAILED{}  {}: {}\n  {}\n", colours ? kRed : "", colours ? "\x1b[0m" : "",
                       to_string(failure.outcome), failure.reason,
                       verify_command(member.problem, config, member.data, device.info().id));
            std::fflush(stdout);
          },
      .on_left_out =
          [&](const PipelineConfig& config, const Failure& failure) {
            progress.note(fmt::format("left out, as it does not compile: {}: {}", to_label(config), failure.reason));
          },
      .on_progress =
          [&](const Family::Member& member, std::size_t done) {
            progress.update(static_cast<double>(done) / static_cast<double>(count), to_line(member.problem));
          },
      .should_stop = InterruptGuard::interrupted};
  RandomTally tally;
  try {
    tally = verify_random(device, source, count, events);
  } catch (const Error& error) {
    if (has_failed) throw Error(error.what(), ExitCode::wrong_result);  // the device was lost to what failed
    throw;
  }
  progress.clear();
  fmt::print("{} of {} random problems passed on {} ({}), seed {}\n", tally.problems - tally.failed, tally.problems,
             device.info().name, device.info().id, seed_);
  if (InterruptGuard::interrupted()) return kInterruptedExitCode;
  return tally.failed > 0 ? static_cast<int>(ExitCode::wrong_result) : 0;
}

int VerifyCommand::run(const Session& session) {
  std::vector<Fill> fills;
  for (const std::string_view name : split_list("--fill", fills_)) fills.push_back(parse_fill(name));
  if (samples_ < 0) throw Error("--samples must be 0 or more");
  if (random_ && *random_ < 1) throw Error("--random must be 1 or more");
  if (random_ && (!problems_.untouched() || !best_files_.empty() || samples_ > 0))
    throw Error(
        "--random draws problems and configs of its own: leave out the options of problems, files and --samples");
  if (!problems_.empty()) problems_.problems("verify");  // bad input is found before a device is opened
  configs_.parse();
  const auto device = device_.open(quiet_);
  if (random_) return run_random(*device, fills, session.colours);
  const std::vector<Check> all = checks(device->info());

  std::size_t expected = 0, done = 0, failed = 0;
  for (const Check& check : all) expected += check.configs.size() * fills.size();
  Progress progress(Progress::kind_for_stderr(quiet_));
  const InterruptGuard interrupts;

  using enum TextTable::Align;
  TextTable table({{"verdict", left},
                   {"l2"},
                   {"row"},
                   {"element"},
                   {"rows"},
                   {"repeats", left},
                   {"data", left},
                   {"problem and config", left}});
  const auto add = [&](const Problem& problem, const PipelineConfig& config, Fill fill,
                       const std::optional<Verdict>& verdict, const std::string& why_not) {
    if (!why_not.empty())
      ++failed;
    else if (quiet_)
      return;
    const auto figure = [&](double value) { return verdict ? fmt::format("{:.2g}", value) : "-"; };
    table.add({{why_not.empty() ? "ok" : "FAILED", why_not.empty() ? std::string_view() : kRed},
               {verdict ? figure(verdict->relative_l2) : "-"},
               {verdict ? figure(verdict->worst_row) : "-"},
               {verdict ? figure(verdict->worst_element) : "-"},
               {verdict ? fmt::format("{}/{}", verdict->rows_checked, verdict->rows_total) : "-"},
               {verdict ? (verdict->bitwise_repeatable ? "bitwise" : "no") : "-"},
               {std::string(to_string(fill))},
               {fmt::format("{} {}{}{}", to_line(problem), to_label(config), why_not.empty() ? "" : ": ", why_not)}});
  };

  for (const Check& check : all) {
    std::vector<std::pair<Stage, StageConfig>> to_compile;
    for (const PipelineConfig& config : check.configs)
      to_compile.insert(to_compile.end(), config.stages.begin(), config.stages.end());
    device->prepare(check.problem, to_compile, [] {});
    for (const Fill fill : fills) {
      if (InterruptGuard::interrupted()) break;
      VerifiedWorkload workload(*device, check.problem, {.fill = fill, .seed = seed_});
      for (const PipelineConfig& config : check.configs) {
        if (InterruptGuard::interrupted()) break;
        progress.update(static_cast<double>(done) / static_cast<double>(expected), to_line(check.problem));
        ++done;
        const VerifiedWorkload::Check found = workload.check(config);
        add(check.problem, config, fill, found.verdict, found.failure ? found.failure->reason : "");
      }
    }
  }
  progress.clear();

  if (!quiet_ || failed > 0) fmt::print("{}\n", table.to_string(session.colours));
  fmt::print("{} of {} checks passed on {} ({})\n", done - failed, done, device->info().name, device->info().id);
  if (InterruptGuard::interrupted()) return kInterruptedExitCode;
  return failed > 0 ? static_cast<int>(ExitCode::wrong_result) : 0;
}

}  // namespace

std::unique_ptr<Command> make_verify() {
  return std::make_unique<VerifyCommand>();
}

}  // namespace moetune
