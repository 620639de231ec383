#include "cli/bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/ceilings_cache.h"
#include "cli/output.h"
#include "cli/verified_workload.h"
#include "measure/clock_readings.h"
#include "measure/sampler.h"
#include "problem/work.h"
#include "results/best_file.h"
#include "results/journal.h"
#include "results/names.h"
#include "results/repro.h"

namespace moetune {

void BenchOptions::add_to(CLI::App& app) {
  app.add_option("best-config", best_files, "Best-config files, as `moe-tune tune` writes them")->type_name("FILE");
  problems.add_to(app);
  impls.add_to(app);
  device.add_to(app);
  configs.add_to(
      app,
      "The config of a stage (gemm1, gate, final or mlp); where not given, the first guess of the first engine "
      "that can run it");
  timing.add_to(app);
  app.add_option("--fill", fill, "Input data: random, exact_integer")
      ->group("Measuring")
      ->type_name("KIND")
      ->capture_default_str();
  app.add_flag("--stages", stages, "Also time each stage alone")->group("Measuring");
  app.add_option("--journal", journal, "Append what was timed to this journal, for `moe-tune compare` and `report`")
      ->group("Output")
      ->type_name("FILE");
  app.add_flag("-q,--quiet", quiet, "Nothing but the results and errors")->group("Output");
}

std::vector<BenchOptions::Job> BenchOptions::jobs() const {
  const std::map<Stage, StageConfig> given = configs.parse();
  const std::vector<Impl> wanted = impls.impls();
  for (const auto& [stage, config] : given) {
    const auto has_stage = [&s = stage](Impl impl) {
      const auto tunable = tunable_stages_of(impl);
      return std::find(tunable.begin(), tunable.end(), s) != tunable.end();
    };
    if (std::none_of(wanted.begin(), wanted.end(), has_stage))
      throw Error(fmt::format("--config {}=…: --impl {} has no such stage", to_string(stage), impls.names));
  }

  std::vector<Job> jobs;
  for (const std::string& path : best_files) {
    const Best best = read_best_file(path).best;
    if (std::find(wanted.begin(), wanted.end(), best.config.impl) == wanted.end()) continue;
    jobs.push_back({.problem = best.problem,
                    .impl = best.config.impl,
                    .given = best.config.stages,
                    .data = {.fill = parse_fill(fill), .seed = timing.seed},
                    .timing = timing.timing()});
  }
  if (best_files.empty() || !problems.empty()) {
    for (const Problem& problem : problems.problems("bench")) {
      for (const Impl impl : wanted) {
        Job job{.problem = problem,
                .impl = impl,
                .given = {},
                .data = {.fill = parse_fill(fill), .seed = timing.seed},
                .timing = timing.timing()};
        for (const Stage stage : tunable_stages_of(impl))
          if (const auto found = given.find(stage); found != given.end()) job.given.insert(*found);
        jobs.push_back(std::move(job));
      }
    }
  }
  if (jobs.empty()) throw Error(fmt::format("none of these files is for --impl {}", impls.names));
  return jobs;
}

namespace {

/// A job and what came of it.
struct Timed {
  BenchOptions::Job job;
  PipelineConfig config;
  std::optional<Verdict> verdict = std::nullopt;
  std::optional<Failure> failure = std::nullopt;
  Load load = {};
  // Of all calls that Google Benchmark made, those included with which it looked for the number of iterations.
  std::vector<std::vector<double>> rounds_us = {};
  std::map<Stage, std::vector<std::vector<double>>> stage_rounds_us = {};
  ClockReadings clock = {};  // while the whole was timed
};

Summary summarise_benchmark(std::span<const std::vector<double>> rounds_us, int draws) {
  Summary summary = summarise_draws(rounds_us, draws);
  summary.stopped_by = "benchmark";
  return summary;
}

/// As a record of what was timed, or of why nothing was. Nothing for a job that --benchmark_filter left out.
void record(JournalWriter& journal, const Timed& timed, const Ceilings& ceilings) {
  const BenchOptions::Job& job = timed.job;
  if (timed.failure)
    return journal.add(
        describe_failure(job.problem, timed.config, job.data, job.timing, *timed.failure, timed.verdict));
  if (timed.rounds_us.empty()) return;
  Summary time = summarise_benchmark(timed.rounds_us, draws_of(job.problem, job.timing));
  timed.clock.complete(time);
  Best best =
      describe_best(job.problem, timed.config, job.data, job.timing, timed.load, ceilings, time, timed.verdict.value());
  for (const auto& [stage, rounds_us] : timed.stage_rounds_us)
    best.stage_times[stage] = summarise_benchmark(rounds_us, draws_of(job.problem, job.timing));
  journal.add(best);
}

/// Runs jobs inside Google Benchmark. Nothing is timed before it is verified; one problem at a time is on the device.
class Runner {
 public:
  Runner(Device& device, const Ceilings& ceilings) : device_(device), ceilings_(ceilings) {}

  void run(benchmark::State& state, Timed& timed, std::optional<Stage> stage);
  int exit_code() const { return exit_code_; }

 private:
  /// The job's pipeline, verified, or why there is none.
  Verification make_ready(const BenchOptions::Job& job, const PipelineConfig& config);

  Device& device_;
  Ceilings ceilings_;
  std::optional<BenchOptions::Job> current_;
  std::optional<VerifiedWorkload> loaded_;  // of current_
  std::unique_ptr<Pipeline> pipeline_;
  std::optional<Verification> verified_;
  using Measured = std::pair<const Timed*, std::optional<Stage>>;
  Measured settled_ = {};  // what the device is at the lasting clocks of
  int exit_code_ = 0;
};

Verification Runner::make_ready(const BenchOptions::Job& job, const PipelineConfig& config) {
  if (current_ == job) return *verified_;
  verified_.reset();
  pipeline_.reset();
  if (!current_ || current_->problem != job.problem || current_->data != job.data) {
    current_.reset();
    loaded_.reset();  // before the next problem takes its memory
    loaded_.emplace(device_, job.problem, job.data);
  }
  current_ = job;
  loaded_->workload().reroute(0);  // what outputs are verified on
  auto built = loaded_->build(config);
  if (!built) return verified_.emplace(Verification{.verdict = {}, .result = built.failure()});
  pipeline_ = std::move(built.value());
  return verified_.emplace(loaded_->verify(*pipeline_, job.impl));
}

void Runner::run(benchmark::State& state, Timed& timed, std::optional<Stage> stage) {
  const BenchOptions::Job& job = timed.job;
  const auto skip = [&](const std::string& reason, ExitCode code) {
    state.SkipWithError(reason.c_str());
    exit_code_ = static_cast<int>(code);
  };
  const auto skip_failure = [&](const Failure& failure) {
    timed.failure = failure;
    skip(to_string(failure), failure.outcome == Outcome::incorrect ? ExitCode::wrong_result : ExitCode::usage);
  };
  try {
    const Verification ready = make_ready(job, timed.config);
    timed.verdict = ready.verdict;
    if (!ready.result) return skip_failure(ready.result.failure());
    Pipeline& pipeline = ready.result.value().pipeline();
    std::vector<std::vector<double>>& kept = stage ? timed.stage_rounds_us[*stage] : timed.rounds_us;
    if (stage) {
      // Intermediates of the whole pipeline have to be in place.
      if (const auto run = pipeline.run(); !run) return skip_failure(run.failure());
    }
    const int draws = draws_of(job.problem, job.timing);
    Candidate candidate{.pipeline = ready.result.value()};
    if (stage) candidate.stages = only(*stage);
    SamplingContext context{.timing = job.timing};
    context.read = [this](double seconds) { device_.read_memory(seconds); };
    const bool of_replays = job.timing.load == LoadState::replays;
    const SamplingRule rule = replays(draws);
    // A call for each draw: in the pauses between calls a GPU that met its power limit recovers.
    int batch = static_cast<int>(
        std::clamp<benchmark::IterationCount>((state.max_iterations + draws - 1) / draws, 1, kMostSamplesAtOnce));
    const Measured next{&timed, stage};
    if (of_replays) {
      const Result<int> samples = begin_visit(candidate, rule, draws, context);
      if (!samples) return skip_failure(samples.failure());
      batch = samples.value();
    } else if (settled_ != next) {
      if (const auto failure = load_for(device_.settle_seconds(), candidate, context)) return skip_failure(*failure);
      settled_ = next;
    }
    // A visit: all its samples in one call.
    const auto visit = [&]() -> Result<double> {
      if (draws > 1) {
        loaded_->workload().reroute(static_cast<int>(kept.size()) % draws);
        if (stage)
          if (const auto run = pipeline.run(); !run) return run.failure();
      }
      if (of_replays)
        if (const auto begun = begin_visit(candidate, rule, draws, context); !begun) return begun.failure();
      const auto samples = stage ? pipeline.time_stage(*stage, batch, job.timing) : pipeline.time(batch, job.timing);
      if (!samples) return samples.failure();
      double sum_us = 0;
      for (const double us : samples.value()) sum_us += us;
      if (!(sum_us > 0)) return Failure{Outcome::runtime_error, "the device's timer returned no positive time"};
      kept.push_back(samples.value());
      if (!stage) timed.clock.add(device_.clock());
      return sum_us;
    };
    // Replays are of all draws, however few runs the library asks for.
    const int visits = of_replays ? draws : 1;
    while (state.KeepRunningBatch(batch * visits)) {
      double sum_us = 0;
      for (int i = 0; i < visits; ++i) {
        const Result<double> visited = visit();
        if (!visited) return skip_failure(visited.failure());
        sum_us += visited.value();
      }
      state.SetIterationTime(sum_us * 1e-6);
    }
    const Load load = timed.load = mean_load(job.problem, job.data, draws);
    const Work work = stage ? stage_work(job.problem, *stage, load) : pipeline_work(job.problem, load);
    constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;
    state.counters["FLOP/s"] = benchmark::Counter(work.flops, kRate);
    state.counters["B/s"] = benchmark::Counter(work.bytes, kRate);
    // A rate of roofline times: their share of the time taken.
    if (const double roofline = roofline_us(work, ceilings_); roofline > 0)
      state.counters["of_roofline"] = benchmark::Counter(roofline * 1e-6, kRate);
  } catch (const Error& error) {
    warn(error.what());
    timed.failure = {Outcome::runtime_error, error.what()};
    skip(error.what(), error.code());
  }
}

constexpr std::string_view kMinTime = "--benchmark_min_time";

/// As the library that this is built with takes it.
std::string min_time_argument(double seconds) {
  return fmt::format("{}={}{}", kMinTime, seconds, MOETUNE_BENCHMARK_SECONDS);
}

/// All of `text` as a number.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// An argument that sets the least time, with seconds in either form, for the library. What it would refuse after
/// everything was verified, or take for forever, is an Error.
std::string checked_min_time(std::string_view argument) {
  constexpr bool kHasUnits = !std::string_view(MOETUNE_BENCHMARK_SECONDS).empty();
  std::string_view value = argument.substr(std::min(argument.size(), kMinTime.size() + 1));  // after the =
  if (value.ends_with('x')) {
    const auto count = parse_number<std::int64_t>(value.substr(0, value.size() - 1));
    if (count && *count > 0 && kHasUnits) return std::string(argument);
    if (count && *count > 0)
      throw Error(fmt::format(
          "{}: this is built with a Google Benchmark before 1.8, which takes no iterations; give seconds", argument));
  }
  if (value.ends_with('s')) value.remove_suffix(1);
  const auto seconds = parse_number<double>(value);
  if (!seconds || !std::isfinite(*seconds) || *seconds < 0)
    throw Error(fmt::format("{}: seconds were expected, as in {}=0.6 or {}=0.6s", argument, kMinTime, kMinTime));
  return min_time_argument(*seconds);
}

/// Sets options of Google Benchmark, which keeps those that it was given before and refers to `program`.
void hand_over(std::string& program, std::vector<std::string> arguments) {
  std::vector<char*> argv{program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  if (argc > 1) throw Error(fmt::format("Google Benchmark does not take '{}'", argv[1]));
}

class BenchCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    options_.add_to(app);
    app.allow_extras();  // --benchmark_* are Google Benchmark's
    app_ = &app;
    app.footer(
        "Every pipeline is verified before it is timed. Options of Google Benchmark pass through: "
        "--benchmark_format=json,\n"
        "--benchmark_out=FILE, --benchmark_repetitions=N, --benchmark_min_time=0.6s, --benchmark_filter=REGEX. Times\n"
        "are the device's own (manual time); wall time holds the flushing of caches too. of_roofline is a share of\n"
        "the ceilings that `moe-tune doctor` measures. --journal keeps medians over all samples, and what failed.\n"
        "With --load replays each draw of the routing has its replays once, unless --benchmark_min_time asks for "
        "more.\n\n"
        "Examples:\n"
        "  moe-tune bench moe-tune-results/*/best/*.json\n"
        "  moe-tune bench --model qwen3-30b-a3b --M 1,16 --stages --benchmark_repetitions=5\n"
        "  moe-tune bench --problem M=16,K=2048,N1=1536,E=128,topk=8 --impl merged \\\n"
        "    --config "
        "gate=mma:BLOCK_SIZE_M=16,BLOCK_SIZE_N=64,BLOCK_SIZE_K=128,GROUP_SIZE_M=1,num_warps=4,num_stages=4\n"
        "Exit codes: 0 success, 2 bad input or a config that cannot run, 3 wrong results, 77 no such GPU.");
  }

  int run(const Session& session) override;

 private:
  BenchOptions options_;
  const CLI::App* app_ = nullptr;
};

int BenchCommand::run(const Session& session) {
  std::vector<std::string> arguments;
  bool sets_min_time = false;
  for (const std::string& extra : app_->remaining()) {
    if (!extra.starts_with("--benchmark_")) fail_unknown_argument(*app_, extra);
    const bool is_min_time = extra.substr(0, extra.find('=')) == kMinTime;
    sets_min_time |= is_min_time;
    arguments.push_back(is_min_time ? checked_min_time(extra) : extra);
  }
  std::string program = session.command.front();
  hand_over(program, arguments);  // before anything is built and verified for what the library then refuses
  const std::vector<BenchOptions::Job> jobs = options_.jobs();
  const auto device = options_.device.open(options_.quiet);
  if (!sets_min_time) {
    // Only the samples count, not the flush of the cache before each: with the half second that is the library's
    // default, 20 µs samples would take half a minute on a GPU. A CPU that has to stream flushes a hundred times as
    // slowly.
    const bool flushes_slowly = device->info().backend == Backend::cpu && options_.timing.cache == "cold";
    const bool once = options_.timing.timing().load == LoadState::replays;  // a visit of each draw has its own length
    hand_over(program, {min_time_argument(once ? 1e-6 : flushes_slowly ? 0.002 : 0.05)});
  }

  const std::vector<const Engine*> engines = engines_on(device->info());
  const Ceilings ceilings = find_ceilings(*device, false, [&](std::string_view line) {
    if (!options_.quiet) fmt::print(stderr, "{}\n", line);
  });

  Runner runner(*device, ceilings);
  std::deque<Timed> timed;  // the registered benchmarks refer to its elements
  for (const BenchOptions::Job& job : jobs) {
    std::vector<const Engine*> likeliest_first = engines;
    std::stable_sort(likeliest_first.begin(), likeliest_first.end(),
                     [&](const Engine* a, const Engine* b) { return is_likelier(*a, *b, job.problem); });
    const PipelineConfig config = complete_config(job.problem, job.impl, job.given, device->info(), likeliest_first);
    const std::vector<std::pair<Stage, StageConfig>> stages(config.stages.begin(), config.stages.end());
    device->prepare(job.problem, stages, [] {});
    const std::string name = benchmark_name(job.problem, job.impl);
    if (!options_.quiet) fmt::print(stderr, "{}: {}\n", name, to_label(config));
    Timed& slot = timed.emplace_back(Timed{.job = job, .config = config});
    const auto add = [&](const std::string& benchmark, std::optional<Stage> stage) {
      benchmark::RegisterBenchmark(benchmark.c_str(),
                                   [&runner, &slot, stage](benchmark::State& state) { runner.run(state, slot, stage); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    };
    add(name, std::nullopt);
    if (!options_.stages) continue;
    for (const Stage stage : stages_of(job.impl)) add(fmt::format("{}/{}", name, to_string(stage)), stage);
  }

  benchmark::AddCustomContext("device", device->info().name);
  benchmark::AddCustomContext("moe-tune", fmt::format("{} {}", build_info().version, build_info().git_revision));
  benchmark::AddCustomContext("cache", options_.timing.cache);
  benchmark::AddCustomContext("load", options_.timing.load);
  std::optional<JournalWriter> journal;
  if (!options_.journal.empty())
    journal.emplace(options_.journal, describe_environment(device->info(), ceilings, session.command));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (journal)
    for (const Timed& each : timed) record(*journal, each, ceilings);
  return runner.exit_code();
}

}  // namespace

std::unique_ptr<Command> make_bench() {
  return std::make_unique<BenchCommand>();
}

}  // namespace moetune
