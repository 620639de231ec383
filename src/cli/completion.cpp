#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/app_text.h"
#include "cli/command.h"
#include "cli/near_names.h"
#include "cli/output.h"
#include "results/environment.h"
#include "shell/formats.h"

namespace moetune {
namespace {

struct Shell {
  std::string_view name;
  std::string (*write)(const CommandText& program);
};
constexpr Shell kShells[] = {{"bash", bash_completion}, {"zsh", zsh_completion}, {"fish", fish_completion}};

class CompletionCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app_ = &app;
    app.add_option("shell", shell_, "bash, zsh, fish")->required()->type_name("SHELL");
    app.footer(
        "The script is printed. An installed moe-tune has it in place; else\n\n"
        "  source <(moe-tune completion bash)                                             # in ~/.bashrc\n"
        "  source <(moe-tune completion zsh)                                              # in ~/.zshrc, after "
        "compinit\n"
        "  moe-tune completion fish > ~/.config/fish/completions/moe-tune.fish            # once");
  }

  int run(const Session&) override {
    std::vector<std::string> names;
    for (const Shell& shell : kShells) {
      if (shell.name == shell_) return write_output("-", shell.write(app_text(*app_->get_parent()))), 0;
      names.emplace_back(shell.name);
    }
    throw Error(fmt::format("unknown shell '{}'{}; there are bash, zsh and fish", shell_, suggest(shell_, names)));
  }

 private:
  std::string shell_;
  CLI::App* app_ = nullptr;
};

class ManCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app_ = &app;
    app.footer("In roff: `moe-tune man | man -l -`. An installed moe-tune has it as moe-tune(1).");
  }

  int run(const Session&) override {
    write_output("-", man_page(app_text(*app_->get_parent()), fmt::format("moe-tune {}", build_info().version)));
    return 0;
  }

 private:
  CLI::App* app_ = nullptr;
};

}  // namespace

std::vector<std::string_view> completion_shells() {
  std::vector<std::string_view> names;
  for (const Shell& shell : kShells) names.push_back(shell.name);
  return names;
}

std::unique_ptr<Command> make_completion() {
  return std::make_unique<CompletionCommand>();
}

std::unique_ptr<Command> make_man() {
  return std::make_unique<ManCommand>();
}

}  // namespace moetune
