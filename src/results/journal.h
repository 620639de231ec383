// The journal of a tuning run: JSONL, appended to as trials end. A run writes a header line and then a line for each
// trial and each best config; every line names its run, so several runs, even at the same time, can share a file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "measure/trial.h"
#include "results/environment.h"

namespace moetune {

class JournalWriter {
 public:
  /// Opens or creates `path` for appending and writes this run's header. Throws Error where that cannot be done, and
  /// where the file is there but is no journal.
  JournalWriter(const std::filesystem::path& path, const Environment& environment);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  // One write() each, so that neither a kill nor another writer can split a line. Throw Error where the disk is full.
  void add(const Trial& trial);
  void add(const Best& best);

  const std::filesystem::path& path() const { return path_; }
  const std::string& run() const { return run_; }

 private:
  void write_line(std::string line);

  std::filesystem::path path_;
  std::string run_;
  std::string device_id_;
  int file_ = -1;
};

/// A record with where it stands.
template <class T>
struct Recorded {
  T record;
  std::size_t run = 0;   ///< index into Journal::runs
  std::size_t line = 0;  ///< from 1
};

struct Journal {
  struct Run {
    std::string id;
    Environment environment;
  };
  std::vector<Run> runs;
  std::vector<Recorded<Trial>> trials;
  std::vector<Recorded<Best>> bests;
  std::vector<std::string> warnings;  ///< lines that could not be read, each with its number and reason
};

/// Reads all that can be read; the lines that cannot are in `warnings`. Throws Error where the first line is no header of
/// a journal of this schema version. `origin` is what messages call it.
Journal parse_journal(std::string_view text, std::string_view origin);
/// The same from a file. Throws Error also where that cannot be opened.
Journal read_journal(const std::filesystem::path& path);

}  // namespace moetune
