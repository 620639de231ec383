// The journal of a tuning run: JSONL, appended to as trials end. A run writes a header line and then a line for each
// trial and each best config; every line names its run, so several runs, even at the same time, can share a file.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "measure/trial.h"
#include "results/environment.h"

namespace moetune {

/// What makes several runs parts of one tuning: those that a tuning began with, one for each device, and those that
/// went on with it.
struct TuningKey {
  std::string id;
  std::map<std::string, std::string> options;  ///< that decide what is found: "--seed" -> "1"

  bool operator==(const TuningKey&) const = default;
};

/// For TuningKey::id: random, as hosts that begin in the same second may share a folder.
std::string new_tuning_id();

/// That a problem was tuned to its end.
struct Done {
  Problem problem;
  double seconds = 0;                    ///< that it took, those before an interruption included
  std::optional<Spent> spent{};          ///< where those since the last interruption went
  std::map<Impl, std::string> failures;  ///< implementations without a best config, with the reason

  bool operator==(const Done&) const = default;
};

class JournalWriter {
 public:
  /// Opens or creates `path` for appending and writes this run's header. Throws Error where that cannot be done, and
  /// where the file is there but is no journal.
  JournalWriter(const std::filesystem::path& path, const Environment& environment,
                const std::optional<TuningKey>& tuning = std::nullopt);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  // One write() each, so that neither a kill nor another writer can split a line. Throw Error where the disk is full.
  // What is written survives the process; the disk has it within a second, in case of a power cut. To wait for the disk
  // each time would take 4 ms (ext4 on a virtual disk), where a trial on a GPU takes 7.
  void add(const Trial& trial);
  void add(const Best& best);
  /// A problem's best configs and that it is done: all or nothing.
  void add(std::span<const Best> bests, const Done& done);
  void add(const Transfers& transfers);

  const std::filesystem::path& path() const { return path_; }
  const std::string& run() const { return run_; }

 private:
  void write_line(std::string line);
  void sync();

  std::filesystem::path path_;
  std::string run_;
  std::string device_id_;
  int file_ = -1;
  std::chrono::steady_clock::time_point synced_ = std::chrono::steady_clock::now();
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
    std::optional<TuningKey> tuning;  ///< of `tune` only
  };
  std::vector<Run> runs;
  std::vector<Recorded<Trial>> trials;
  std::vector<Recorded<Best>> bests;
  std::vector<Recorded<Done>> done;
  std::vector<Recorded<Transfers>> transfers;
  std::vector<std::string> warnings;  ///< lines that could not be read, each with its number and reason
};

/// Reads all that can be read; the lines that cannot are in `warnings`. Throws Error where the first line is no header
/// of a journal of this schema version. `origin` is what messages call it.
Journal parse_journal(std::string_view text, std::string_view origin);
/// The same from a file. Throws Error also where that cannot be opened.
Journal read_journal(const std::filesystem::path& path);

}  // namespace moetune
