#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace moetune {

/// What a subcommand is run with.
struct Session {
  std::vector<std::string> command;  ///< argv
  bool colours = false;              ///< on stdout
};

/// A subcommand: a group of options and what to do with them.
class Command {
 public:
  virtual ~Command() = default;
  virtual void add_options(CLI::App& app) = 0;
  /// Returns the exit code; throws Error for what the user can mend.
  virtual int run(const Session& session) = 0;
};

/// A row of the table of subcommands.
struct CommandRow {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Command> (*make)();
};

std::span<const CommandRow> commands();

// Each in the file of its name.
std::unique_ptr<Command> make_tune();
std::unique_ptr<Command> make_bench();
std::unique_ptr<Command> make_verify();
std::unique_ptr<Command> make_prebuild();
std::unique_ptr<Command> make_report_command();
std::unique_ptr<Command> make_export();
std::unique_ptr<Command> make_compare();
std::unique_ptr<Command> make_record();
std::unique_ptr<Command> make_replay();
std::unique_ptr<Command> make_list();
std::unique_ptr<Command> make_merge();
std::unique_ptr<Command> make_doctor();
std::unique_ptr<Command> make_completion();
std::unique_ptr<Command> make_man();

// What `list` and `completion` take.
std::vector<std::string_view> list_topics();
std::vector<std::string_view> completion_shells();

/// Parses, runs, and turns what is thrown into one line on stderr and an exit code.
int run_command_line(int argc, char** argv);

/// Throws Error for an argument that `app` does not know, with near names.
[[noreturn]] void fail_unknown_argument(const CLI::App& app, const std::string& argument);

}  // namespace moetune
