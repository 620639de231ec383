#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/single_quotes.h"
#include "shell/formats.h"

namespace moetune {
namespace {

/// The part that is the same for every program. bash has split the line at blanks, '=' and ':'; options of COMP_WORDS
/// are looked up in functions that the rest of the script defines.
constexpr std::string_view kMachinery = R"(# bash completion for {0}, made by `{0} completion bash`

# Words that begin with what is typed; of a list, its last part.
_{1}_offer() {{
  local list=$1 typed=$2 done=
  shift 2
  if [[ $list == list && $typed == *,* ]]; then
    done=${{typed%,*}},
    typed=${{typed##*,}}
  fi
  local word
  for word; do
    [[ $word == "$typed"* ]] && COMPREPLY+=("$done$word")
  done
}}

_{1}() {{
  local at=$COMP_CWORD word option command= i
  word=${{COMP_WORDS[at]}}
  # cuda:0 came as three words.
  while ((at > 1)) && [[ ${{COMP_WORDS[at]}} == : || ${{COMP_WORDS[at - 1]}} == : ]]; do
    ((at--))
    word=${{COMP_WORDS[at]}}$word
  done
  option=${{COMP_WORDS[at - 1]}}
  if [[ $word == = ]]; then
    word=
  elif [[ $option == = ]]; then
    option=${{COMP_WORDS[at - 2]}}
  fi
  for ((i = 1; i < at; i++)); do
    if [[ ${{COMP_WORDS[i]}} != -* ]]; then
      command=${{COMP_WORDS[i]}}
      break
    fi
  done
  COMPREPLY=()
  local colon=${{word%"${{word##*:}}"}}
  _{1}_value "$command" "$option" "$word" || _{1}_word "$command" "$word"
  [[ -z $colon ]] || COMPREPLY=("${{COMPREPLY[@]#"$colon"}}")
}}

_{1}_files() {{
  compopt -o filenames 2>/dev/null
  local IFS=$'\n'
  COMPREPLY=($(compgen "$1" -- "$2"))
}}
)";

/// In single quotes, with what that cannot hold outside.
std::string quoted_words(const std::vector<std::string>& words) {
  std::vector<std::string> all;
  for (const std::string& word : words) all.push_back(in_single_quotes(word));
  return fmt::format("{}", fmt::join(all, " "));
}

/// What is offered for a value, or a no-op where nothing is known.
std::string offer(const std::string& function, const OptionText& option, const char* typed) {
  if (!option.choices.empty())
    return fmt::format("{}_offer {} \"{}\" {}", function, option.is_list ? "list" : "word", typed,
                       quoted_words(option.choices));
  if (option.takes_file()) return fmt::format("{}_files -f \"{}\"", function, typed);
  if (option.takes_folder()) return fmt::format("{}_files -d \"{}\"", function, typed);
  return ":";
}

}  // namespace

std::string bash_completion(const CommandText& program) {
  std::string name = program.name;
  std::replace(name.begin(), name.end(), '-', '_');
  const std::string function = "_" + name;
  std::string text = fmt::format(kMachinery, program.name, name);

  text += fmt::format(
      "\n# The value of an option; fails where the word before is none that takes one.\n{}_value() {{\n", function);
  text += "  case \"$1 $2\" in\n";
  for (const CommandText& command : program.commands) {
    for (const OptionText& option : command.options) {
      if (!option.takes_value()) continue;
      std::vector<std::string> patterns;
      for (const std::string& each : option.names) patterns.push_back(in_single_quotes(command.name + " " + each));
      text += fmt::format("    {}) {} ;;\n", fmt::join(patterns, " | "), offer(function, option, "$3"));
    }
  }
  text += "    *) return 1 ;;\n  esac\n}\n";

  text += fmt::format("\n# Options, subcommands and arguments.\n{}_word() {{\n  case $1 in\n", function);
  const auto add_case = [&](const std::string& pattern, const CommandText& command, const std::string& otherwise) {
    std::vector<std::string> names;
    for (const OptionText& option : command.options)
      names.insert(names.end(), option.names.begin(), option.names.end());
    text += fmt::format(
        "    {})\n      if [[ $2 == -* ]]; then\n        {}_offer word \"$2\" {}\n      else\n        {}\n      fi\n   "
        "   ;;\n",
        pattern, function, quoted_words(names), otherwise);
  };
  for (const CommandText& command : program.commands)
    add_case(in_single_quotes(command.name), command,
             command.positionals.empty() ? ":" : offer(function, command.positionals.front(), "$2"));
  std::vector<std::string> commands;
  for (const CommandText& command : program.commands) commands.push_back(command.name);
  add_case("''", program, fmt::format("{}_offer word \"$2\" {}", function, quoted_words(commands)));
  text += "  esac\n}\n";
  return text + fmt::format("\ncomplete -F {} {}\n", function, program.name);
}

}  // namespace moetune
