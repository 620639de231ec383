#include "jit/compile_pool.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace moetune {
namespace {

// What the two say to each other, a line each: {"source", "options", "into"}, and back {} where it went well, or
// {"failure": reason}, or {"error": what the user can mend}.
using Json = nlohmann::json;

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Failure failure(std::string reason) {
  return {.outcome = Outcome::compile_error, .reason = std::move(reason)};
}

/// Its one line of answer within `seconds`; nothing where it took longer, or died.
std::optional<std::string> receive_within(ChildProcess& compiler, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!compiler.at_end()) {
    if (const std::vector<std::string> lines = compiler.receive(); !lines.empty()) return lines.front();
    const std::chrono::duration<double> left = end - std::chrono::steady_clock::now();
    if (left.count() <= 0) return std::nullopt;
    const ChildProcess* const one = &compiler;
    wait_for_any({&one, 1}, left.count());
  }
  return std::nullopt;
}

}  // namespace

CompilePool::CompilePool(std::vector<std::string> command, std::size_t size, double seconds)
    : command_(std::move(command)), size_(std::max<std::size_t>(size, 1)), seconds_(seconds) {}

std::unique_ptr<ChildProcess> CompilePool::take() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [this] { return busy_ < size_; });
  ++busy_;
  if (idle_.empty()) return nullptr;
  std::unique_ptr<ChildProcess> compiler = std::move(idle_.back());
  idle_.pop_back();
  return compiler;
}

void CompilePool::give_back(std::unique_ptr<ChildProcess> compiler) {
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    if (compiler) idle_.push_back(std::move(compiler));
  }
  freed_.notify_one();
}

std::optional<Failure> CompilePool::compile(const CompileJob& job) {
  std::unique_ptr<ChildProcess> compiler = take();
  try {
    if (!compiler) compiler = std::make_unique<ChildProcess>(command_);
  } catch (...) {
    give_back(nullptr);
    throw;
  }
  compiler->send(to_line({{"source", job.source}, {"options", job.options}, {"into", job.into.path().string()}}));
  const std::optional<std::string> answer = receive_within(*compiler, seconds_);
  if (!answer) {
    const bool died = compiler->at_end();
    if (!died) compiler->signal(SIGKILL);
    const ChildProcess::End end = compiler->wait();
    give_back(nullptr);
    if (!died) return failure(fmt::format("the compiler took more than {:g} s", seconds_));
    if (end.signal != 0)
      return failure(fmt::format("the compiler died of signal {} ({})", end.signal, strsignal(end.signal)));
    return failure(fmt::format("the compiler ended with exit code {}", end.exit_code));
  }
  give_back(std::move(compiler));
  const Json json = Json::parse(*answer);
  if (json.contains("error")) throw Error(json.at("error").get<std::string>());
  if (json.contains("failure")) return failure(json.at("failure").get<std::string>());
  return std::nullopt;
}

void serve_compile_jobs(ParentChannel& parent) {
  const std::shared_ptr<ProgramCompiler> compiler = compile_here();
  for (std::string line; parent.receive(line);) {
    Json answer = Json::object();
    try {
      const Json json = Json::parse(line);
      const auto failed = compiler->compile({.source = json.at("source").get<std::string>(),
                                             .options = json.at("options").get<std::vector<std::string>>(),
                                             .into = CubinFile(json.at("into").get<std::string>())});
      if (failed) answer["failure"] = failed->reason;
    } catch (const Error& error) {
      answer["error"] = error.what();
    }
    parent.send(to_line(answer));
  }
}

}  // namespace moetune
