// What a command line program says of itself, for those who write it down elsewhere than in --help.
#pragma once

#include <string>
#include <vector>

namespace moetune {

struct OptionText {
  std::vector<std::string> names;    ///< "-q", "--quiet"; of a positional the name alone, "inputs"
  std::string value;                 ///< what it takes, "FILE"; empty for a flag
  std::string otherwise;             ///< the value where it is not given, or empty
  std::string text;                  ///< one line
  std::string group;                 ///< the heading it stands under
  bool repeats = false;              ///< may be given more than once
  bool is_list = false;              ///< takes several values, joined by commas
  std::vector<std::string> choices;  ///< the values that are known

  bool takes_value() const { return !value.empty(); }
  /// What a shell should offer where no choices are known.
  bool takes_file() const { return value == "FILE" || value == "PATH" || value == "BASE HEAD"; }
  bool takes_folder() const { return value == "DIR"; }
};

struct CommandText {
  std::string name;     ///< "tune"; of the program itself "moe-tune"
  std::string summary;  ///< one line
  std::vector<OptionText> options;
  std::vector<OptionText> positionals;
  std::string footer;                 ///< paragraphs; lines that begin with two blanks are examples and tables
  std::vector<CommandText> commands;  ///< of the program itself
};

}  // namespace moetune
