#pragma once

namespace moetune {

/// While one lives, Ctrl-C and SIGTERM ask the run to end after the trial in flight; a second one ends it at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();
};

/// As shells report a process ended by Ctrl-C.
inline constexpr int kInterruptedExitCode = 130;

}  // namespace moetune
