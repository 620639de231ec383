#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moetune {

/// A program that runs beside this one and talks with it in lines, over its stdin and stdout. Its stderr is this
/// process's.
class ChildProcess {
 public:
  /// `command` as for run_process(). Throws Error where it cannot be started.
  explicit ChildProcess(const std::vector<std::string>& command);
  /// Kills it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Adds the newline. False where nobody is there any more to read it.
  bool send(std::string_view line);
  /// The whole lines that have come since last asked, without waiting.
  std::vector<std::string> receive();
  /// Nothing more will come.
  bool at_end() const { return at_end_; }

  void signal(int number) const;
  /// How it ended: waits for it.
  struct End {
    int exit_code = 0;
    int signal = 0;  ///< that ended it; 0 where it ended by itself
  };
  End wait();

  int descriptor() const { return socket_; }  ///< readable when there is something to receive()

 private:
  pid_t pid_ = 0;
  int socket_ = -1;
  bool at_end_ = false;
  std::string partial_;
};

/// Waits until one of them has something to receive or `seconds` have passed, or a signal has come.
void wait_for_any(std::span<const ChildProcess* const> children, double seconds);

/// The other end, in the child: its stdin and stdout, of which it takes possession. What is printed to stdout from then
/// on goes to stderr.
class ParentChannel {
 public:
  ParentChannel();
  ~ParentChannel();
  ParentChannel(const ParentChannel&) = delete;
  ParentChannel& operator=(const ParentChannel&) = delete;

  /// Waits for a line. False where the parent has closed its end.
  bool receive(std::string& line);
  /// Ends the process where the parent is gone.
  void send(std::string_view line);

 private:
  int input_ = -1, output_ = -1;
  std::string partial_;
};

/// Lets the kernel kill this process when its parent's thread that started it ends, however it ends.
void die_with_parent();

}  // namespace moetune
