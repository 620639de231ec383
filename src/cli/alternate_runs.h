// The processes that `compare --run` measures in: base and head in turn, each run a process of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/paired_runs.h"

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

class AlternateRuns final : public PairedRuns {
 public:
  AlternateRuns(Contender base, Contender head, Log log);

  /// In the order base head, head base, base head, so that drift falls on both alike. Throws Error where a run measured
  /// nothing, with what it said.
  void add_pairs(int pairs, const IsWanted& is_wanted) override;

 private:
  /// The exit code of the process.
  int run(const Contender& contender, const IsWanted& is_wanted);

  Contender base_, head_;
  Log log_;
};

}  // namespace moetune
