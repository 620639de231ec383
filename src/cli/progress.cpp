#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace moetune {
namespace {

constexpr auto kBarInterval = std::chrono::milliseconds(100);
constexpr auto kLineInterval = std::chrono::seconds(5);

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Before this nothing can be said of the time left.
constexpr double kLeastDone = 0.02;

std::string time_left(double done, double elapsed_s) {
  if (!(done >= kLeastDone)) return "";
  return fmt::format("{} left", format_duration(elapsed_s * (1 - done) / done));
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = std::llround(std::max(0.0, seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string format_bar(double done, double elapsed_s, std::string_view text, int width) {
  constexpr int kCells = 20;
  done = std::clamp(done, 0.0, 1.0);
  const int filled = static_cast<int>(done * kCells);
  std::string line = fmt::format("[{:#>{}}{:.>{}}] {:3.0f} %", "", filled, "", kCells - filled, 100 * done);
  if (const std::string left = time_left(done, elapsed_s); !left.empty()) line += "  " + left;
  line += "  ";
  line += text;
  if (static_cast<int>(line.size()) >= width) line.resize(static_cast<std::size_t>(std::max(0, width - 1)));
  return line;
}

Progress::Kind Progress::kind_for_stderr(bool quiet) {
  if (quiet) return Kind::none;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return isatty(STDERR_FILENO) != 0 && !dumb ? Kind::bar : Kind::lines;
}

void Progress::update(double done, std::string_view text) {
  const auto now = Clock::now();
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  if (kind_ == Kind::bar && now - shown_ >= kBarInterval) {
    fmt::print(stderr, "\r\x1b[K{}", format_bar(done, elapsed_s, text, terminal_width()));
    std::fflush(stderr);
    bar_shown_ = true;
    shown_ = now;
  } else if (kind_ == Kind::lines && now - std::max(shown_, start_) >= kLineInterval) {
    const std::string left = time_left(done, elapsed_s);
    fmt::print(stderr, "{:3.0f} %  {}{}{}\n", 100 * std::clamp(done, 0.0, 1.0), left, left.empty() ? "" : "  ", text);
    shown_ = now;
  }
}

void Progress::note(std::string_view line) {
  clear();
  if (kind_ != Kind::none) fmt::print(stderr, "{}\n", line);
}

void Progress::clear() {
  if (bar_shown_) fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  bar_shown_ = false;
}

}  // namespace moetune
