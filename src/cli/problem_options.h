#pragma once

#include <optional>
#include <string>
#include <vector>

#include "problem/model.h"
#include "problem/problem.h"

namespace CLI {
class App;
}

namespace moetune {

/// The presets that travel in the binary.
const std::vector<Model>& known_models();

/// Which problems: presets, axes, problem lines and batch files.
struct ProblemOptions {
  std::vector<std::string> models;
  int tp = 1, ep = 1;
  std::optional<int> ep_rank;
  std::string M, K, N1, N2, E, topk;    // axes
  std::string dtype, activation, bias;  // lists
  std::vector<std::string> routings;
  bool weight_on_input = false;
  std::vector<std::string> lines;
  std::vector<std::string> batch_files;

  void add_to(CLI::App& app);

  /// No problem was asked for.
  bool empty() const;
  /// Nor anything said about one.
  bool untouched() const;

  /// All problems asked for, validated, each once, routing files included. Throws Error, also where there is none:
  /// then it says what to give to `moe-tune <command>`.
  std::vector<Problem> problems(std::string_view command) const;
};

}  // namespace moetune
