#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace moetune {

/// How far a run has come, on stderr: a bar on a terminal, a plain line every few seconds elsewhere, nothing where
/// quiet.
class Progress {
 public:
  enum class Kind { bar, lines, none };
  /// What suits the process's stderr.
  static Kind kind_for_stderr(bool quiet);

  explicit Progress(Kind kind) : kind_(kind) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` is from 0 to 1, of the whole run, or of the part that begin_part() began.
  void update(double done, std::string_view text);

  /// What follows is another part, with a time left of its own.
  void begin_part() { start_ = Clock::now(); }

  /// A line that stays; above the bar where there is one.
  void note(std::string_view line);

  /// Takes the bar away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  Kind kind_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_{};
  bool bar_shown_ = false;
};

/// "42 s", "3 min 20 s", "2 h 05 min"
std::string format_duration(double seconds);

/// The bar's line, e.g. "[#####.....]  50 %  left 42 s  gate bm64…", at most `width` columns.
std::string format_bar(double done, double elapsed_s, std::string_view text, int width);

}  // namespace moetune
