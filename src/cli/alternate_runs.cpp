#include "cli/alternate_runs.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/subprocess.h"
#include "cli/interrupt.h"

namespace moetune {
namespace {

std::uintmax_t size_of(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

/// The last line that moe-tune itself wrote, without its name in front; else the last line of all.
std::string last_words(std::string_view text) {
  constexpr std::string_view kOwn = "moe-tune: ";
  std::string last, own;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with(kOwn)) own = line.substr(kOwn.size());
    if (!line.empty()) last = line;
  }
  return own.empty() ? last : own;
}

}  // namespace

AlternateRuns::AlternateRuns(Contender base, Contender head, Log log)
    : base_(std::move(base)), head_(std::move(head)), log_(std::move(log)) {}

int AlternateRuns::run(const Contender& contender, const IsWanted& is_wanted) {
  std::vector<std::string> command{contender.binary.string(), "bench"};
  for (const RunItem& item : contender.items)
    if (is_wanted(item.problem)) command.insert(command.end(), item.arguments.begin(), item.arguments.end());
  command.insert(command.end(), contender.options.begin(), contender.options.end());
  command.insert(command.end(), {"--journal", contender.journal.string(), "-q"});

  const std::uintmax_t before = size_of(contender.journal);
  const Ended ended = run_process(command);
  if (InterruptGuard::interrupted()) return kInterruptedExitCode;
  if (ended.signal == 0 && size_of(contender.journal) > before)
    return ended.exit_code;  // a row that failed is on record
  const std::string how =
      ended.signal != 0 ? fmt::format("signal {}", ended.signal) : fmt::format("exit code {}", ended.exit_code);
  const bool no_device = ended.exit_code == static_cast<int>(ExitCode::no_device);
  throw Error(fmt::format("{} ('{}') ended with {}: {}", contender.name, contender.binary.string(), how,
                          ended.errors.empty() ? "it said nothing" : last_words(ended.errors)),
              no_device ? ExitCode::no_device : ExitCode::usage);
}

void AlternateRuns::add_pairs(int pairs, const IsWanted& is_wanted) {
  for (const int end = pairs_ + pairs; pairs_ < end && !InterruptGuard::interrupted(); ++pairs_) {
    log_(fmt::format("pair {} of {}", pairs_ + 1, end));
    const bool base_first = pairs_ % 2 == 0;
    const int first = run(base_first ? base_ : head_, is_wanted);
    if (InterruptGuard::interrupted()) return;
    const int second = run(base_first ? head_ : base_, is_wanted);
    constexpr int kWrong = static_cast<int>(ExitCode::wrong_result);
    if (first == kWrong || second == kWrong) {
      log_("wrong results: no more pairs");
      return;
    }
  }
}

}  // namespace moetune
