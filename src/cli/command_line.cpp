#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/near_names.h"
#include "cli/output.h"
#include "jit/compile_pool.h"
#include "results/environment.h"

namespace moetune {
namespace {

constexpr CommandRow kCommands[] = {
    {"tune", "Find the best config of both implementations and compare them", make_tune},
    {"bench", "Time given configs through Google Benchmark", make_bench},
    {"verify", "Check configs against the fp64 reference", make_verify},
    {"prebuild", "Compile the kernels of libmoetune's plans ahead of time", make_prebuild},
    {"report", "Turn journals and best-config files into tables", make_report_command},
    {"merge", "Join what several hosts have tuned", make_merge},
    {"export", "Hand tuned configs on to other programs", make_export},
    {"compare", "Tell whether one run, binary or config is slower than another, for CI", make_compare},
    {"record", "Keep what an exhaustive run measured, to replay searches on it", make_record},
    {"replay", "Compare search strategies on recorded spaces, without a device", make_replay},
    {"list", "Show models, engines, search spaces, configs, strategies", make_list},
    {"doctor", "Say what this machine has and lacks, and measure its ceilings", make_doctor},
    {"completion", "Print a script that completes command lines, for bash, zsh or fish", make_completion},
    {"man", "Print the manual page", make_man},
};

std::string version_line() {
  const BuildInfo& build = build_info();
  return fmt::format("moe-tune {} ({}, {})", build.version, build.git_revision, build.compiler);
}

void describe(CLI::App& app) {
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", version_line(), "Print version and git revision and exit");
  app.footer(
      "Examples:\n"
      "  moe-tune tune --model qwen3-30b-a3b --M 1,16 --budget 60s   # the main job: is merged faster, and by how "
      "much?\n"
      "  moe-tune bench moe-tune-results/*/best/*.json               # time what was found once more\n"
      "  moe-tune verify                                             # check both implementations on corner shapes\n"
      "  moe-tune report moe-tune-results/*/journal.jsonl --markdown report.md\n"
      "  moe-tune list models\n\n"
      "merged computes an expert MLP in two kernels (gate and up with the activation in registers, then the final "
      "one);\n"
      "three_kernel, the usual way, has the activation as a kernel between. `moe-tune SUBCOMMAND --help` tells the "
      "rest.\n"
      "Exit codes: 0 success, 2 usage or input, 3 wrong results, 70 a fault in moe-tune itself, 77 no such GPU, 130\n"
      "interrupted; 1, 4 and 5 are those of compare, and 1 is that of export --check.");
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

/// CLI11 says some things over several lines.
std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

int parse_and_run(int argc, char** argv) {
  if (argc == 2 && argv[1] == kCompileJobsArgument) {
    std::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches it too, but whoever started it decides
    ParentChannel parent;
    serve_compile_jobs(parent);
    return 0;
  }
  CLI::App app("Benchmark and autotuner for the expert MLP of Mixture-of-Experts models.", "moe-tune");
  describe(app);
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> all;
  for (const CommandRow& row : commands()) {
    CLI::App* sub = app.add_subcommand(std::string(row.name), std::string(row.summary));
    all.emplace_back(sub, row.make());
    all.back().second->add_options(*sub);
  }
  app.require_subcommand(0, 1);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    for (const CLI::App* sub : app.get_subcommands())
      if (const auto extras = sub->remaining(); !extras.empty()) fail_unknown_argument(*sub, extras.front());
    const std::vector<std::string> extras = app.remaining();
    fail_unknown_argument(app, extras.empty() ? "" : extras.front());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    throw Error(fmt::format("{}; see `moe-tune {}--help`", one_line(error.what()),
                            app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " "));
  }
  for (auto& [sub, command] : all) {
    if (!sub->parsed()) continue;
    return command->run({.command = {argv, argv + argc}, .colours = stdout_takes_colours()});
  }
  fmt::print("{}", app.help());
  throw Error("which subcommand? e.g. `moe-tune tune --model qwen3-30b-a3b --M 1,16`");
}

}  // namespace

std::span<const CommandRow> commands() {
  return kCommands;
}

void fail_unknown_argument(const CLI::App& app, const std::string& argument) {
  const std::string place = app.get_parent() == nullptr ? "" : app.get_name() + " ";
  if (argument.starts_with("-")) {
    const std::string name = argument.substr(0, argument.find('='));
    throw Error(
        fmt::format("unknown option '{}'{}; see `moe-tune {}--help`", name, suggest(name, option_names(app)), place));
  }
  if (app.get_parent() == nullptr) {
    std::vector<std::string> names;
    std::string known;
    for (const CommandRow& row : commands()) {
      names.emplace_back(row.name);
      known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    }
    throw Error(fmt::format("unknown subcommand '{}'{}; there are {}", argument, suggest(argument, names), known));
  }
  throw Error(fmt::format("unexpected argument '{}'; see `moe-tune {}--help`", argument, place));
}

int run_command_line(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk
  try {
    return parse_and_run(argc, argv);
  } catch (const Error& error) {
    warn(error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    warn("out of memory: give a smaller problem");
    return static_cast<int>(ExitCode::usage);
  } catch (const std::exception& error) {
    warn(fmt::format("internal error: {}", error.what()));
    return static_cast<int>(ExitCode::internal);
  } catch (...) {
    warn("internal error");
    return static_cast<int>(ExitCode::internal);
  }
}

}  // namespace moetune
