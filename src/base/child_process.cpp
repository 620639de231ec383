#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"

extern char** environ;  // NOLINT: POSIX has it in no header

namespace moetune {
namespace {

/// False where there is no reader.
bool send_all(int descriptor, std::string_view bytes, bool is_socket) {
  while (!bytes.empty()) {
    const ssize_t count = is_socket ? ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                    : write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

/// Takes the first line out of `text`, if it holds a whole one.
bool take_line(std::string& text, std::string& line) {
  const auto end = text.find('\n');
  if (end == std::string::npos) return false;
  line = text.substr(0, end);
  text.erase(0, end + 1);
  return true;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error(fmt::format("cannot make a socket: {}", std::strerror(errno)));
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int failure = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  socket_ = ends[0];
  if (failure == 0) return;
  close(socket_);
  throw Error(fmt::format("cannot run '{}': {}", command[0], std::strerror(failure)));
}

ChildProcess::~ChildProcess() {
  if (pid_ != 0) {
    signal(SIGKILL);
    wait();
  }
  close(socket_);
}

bool ChildProcess::send(std::string_view line) {
  return send_all(socket_, std::string(line) + "\n", true);
}

std::vector<std::string> ChildProcess::receive() {
  std::array<char, 65536> buffer;
  while (!at_end_) {
    const ssize_t count = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count <= 0)
      at_end_ = true;
    else
      partial_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  std::vector<std::string> lines;
  for (std::string line; take_line(partial_, line);) lines.push_back(std::move(line));
  return lines;
}

void ChildProcess::signal(int number) const {
  if (pid_ != 0) kill(pid_, number);
}

ChildProcess::End ChildProcess::wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) break;
  pid_ = 0;
  if (WIFSIGNALED(status)) return {.exit_code = 0, .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status), .signal = 0};
}

void wait_for_any(std::span<const ChildProcess* const> children, double seconds) {
  std::vector<pollfd> descriptors;
  for (const ChildProcess* child : children)
    descriptors.push_back({.fd = child->descriptor(), .events = POLLIN, .revents = 0});
  const double ms = std::ceil(std::clamp(seconds, 0.0, 3600.0) * 1000);
  poll(descriptors.data(), descriptors.size(), static_cast<int>(ms));
}

ParentChannel::ParentChannel()
    : input_(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)), output_(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) {
  dup2(STDERR_FILENO, STDOUT_FILENO);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  close(nothing);
}

ParentChannel::~ParentChannel() {
  close(input_);
  close(output_);
}

bool ParentChannel::receive(std::string& line) {
  std::array<char, 65536> buffer;
  while (!take_line(partial_, line)) {
    const ssize_t count = read(input_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    partial_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return true;
}

void ParentChannel::send(std::string_view line) {
  if (!send_all(output_, std::string(line) + "\n", false)) _exit(0);
}

void die_with_parent() {
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);  // it was quicker
}

}  // namespace moetune
