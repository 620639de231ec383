#include <algorithm>
#include <iterator>
#include <random>

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
#include "cli/run_options.h"
#include "cli/verified_workload.h"
#include "report/text_table.h"
#include "results/best_file.h"
#include "results/names.h"

namespace moetune {
namespace {

/// A problem and the pipeline configs to check on it; `configs` of each implementation.
struct Check {
  Problem problem;
  std::vector<PipelineConfig> configs;
};

/// `count` legal configs drawn from the engine's space, one after the other in each stage.
std::vector<PipelineConfig> sample_configs(const Problem& problem, Impl impl, const DeviceInfo& device,
                                           const SpaceOptions::Spaces& spaces, int count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<PipelineConfig> configs;
  for (const Engine* engine : spaces.engines) {
    for (int i = 0; i < count; ++i) {
      PipelineConfig config{.impl = impl, .stages = {}};
      for (const Stage stage : tunable_stages_of(impl)) {
        const SearchSpace& space = spaces.of(stage, *engine);
        constexpr int kDraws = 1000;  // legal ones are not that rare
        for (int draw = 0; draw < kDraws && !config.stages.contains(stage); ++draw) {
          const Config drawn = space.at(random() % space.size());
          if (!engine->why_invalid(drawn, stage, problem, device))
            config.stages[stage] = {.engine = std::string(engine->name), .config = drawn};
        }
      }
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
                    "The config of a stage (gemm1, gate or final); where not given, the first guess of each engine "
                    "that can run it");
    spaces_.add_to(app);
    app.add_option("--samples", samples_,
                   "Also this many random legal configs for each problem, implementation and engine")
        ->group("Configs")
        ->type_name("N")
        ->capture_default_str();
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
        "  moe-tune verify --model gpt-oss-120b --M 1,100\n"
        "  moe-tune verify moe-tune-results/*/best/*.json\n"
        "Exit codes: 0 all are right, 3 some are not, 2 bad input, 77 no such GPU, 130 interrupted.");
  }

  int run(const Session& session) override;

 private:
  std::vector<Check> checks(const DeviceInfo& device) const;

  std::vector<std::string> best_files_;
  ProblemOptions problems_;
  ImplOptions impls_;
  DeviceOptions device_;
  StageConfigOptions configs_;
  SpaceOptions spaces_;
  int samples_ = 0;
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

int VerifyCommand::run(const Session& session) {
  std::vector<Fill> fills;
  for (const std::string_view name : split_list("--fill", fills_)) fills.push_back(parse_fill(name));
  if (samples_ < 0) throw Error("--samples must be 0 or more");
  if (!problems_.empty()) problems_.problems("verify");  // bad input is found before a device is opened
  configs_.parse();
  const auto device = device_.open(quiet_);
  const std::vector<Check> all = checks(device->info());

  std::size_t expected = 0, done = 0, failed = 0;
  for (const Check& check : all) expected += check.configs.size() * fills.size();
  Progress progress(Progress::kind_for_stderr(quiet_));
  const InterruptGuard interrupts;

  constexpr std::string_view kRed = "\x1b[31m";
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
        const auto built = workload.build(config);
        if (!built) {
          add(check.problem, config, fill, std::nullopt, built.failure().reason);
          continue;
        }
        const Verification found = workload.verify(*built.value(), config.impl);
        add(check.problem, config, fill, found.verdict, found.result ? "" : found.result.failure().reason);
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
