// The processes that `compare --run` measures in: base and head in turn, each run a process of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace moetune {

/// Something that one side measures in each of its runs: a problem, or a best-config file with a problem in it.
struct RunItem {
  Problem problem;
  std::vector<std::string> arguments;  ///< of `bench`
};

/// One side of a comparison as something to run.
struct Contender {
  std::string name;  ///< "base" or "head"
  std::filesystem::path binary;
  std::vector<RunItem> items;
  std::vector<std::string> options;  ///< of `bench`, the same in all runs
  std::filesystem::path journal;     ///< that the runs append to
};

class AlternateRuns {
 public:
  using Log = std::function<void(std::string_view line)>;

  AlternateRuns(Contender base, Contender head, Log log);

  /// Measures the problems that `is_wanted` in `pairs` more pairs of runs, in the order base head, head base, base
  /// head, so that drift falls on both alike. Ends after a pair in which a run gave wrong results, and where the user
  /// interrupts. Throws Error where a run measured nothing, with what it said.
  void add_pairs(int pairs, const std::function<bool(const Problem&)>& is_wanted);

  int pairs() const { return pairs_; }
  bool interrupted() const;

 private:
  /// The exit code of the process.
  int run(const Contender& contender, const std::function<bool(const Problem&)>& is_wanted);

  Contender base_, head_;
  Log log_;
  int pairs_ = 0;
};

}  // namespace moetune
