#include "results/past.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {
namespace {

std::string value_of(const std::map<std::string, std::string>& options, const std::string& name) {
  const auto found = options.find(name);
  return found == options.end() ? "not given" : fmt::format("'{}'", found->second);
}

/// "--seed was '1' and is '2'; --M …"; empty where nothing differs.
std::string differences(const std::map<std::string, std::string>& before,
                        const std::map<std::string, std::string>& now) {
  std::set<std::string> names;
  for (const auto& [name, value] : before) names.insert(name);
  for (const auto& [name, value] : now) names.insert(name);
  std::string text;
  for (const std::string& name : names)
    if (const std::string was = value_of(before, name), is = value_of(now, name); was != is)
      text += fmt::format("{}{} was {} and is {}", text.empty() ? "" : "; ", name, was, is);
  return text;
}

/// Without the runs that are no part of the tuning.
Journal only(const Journal& whole, const std::string& tuning) {
  Journal part;
  std::map<std::size_t, std::size_t> index;
  for (std::size_t i = 0; i < whole.runs.size(); ++i) {
    if (!whole.runs[i].tuning || whole.runs[i].tuning->id != tuning) continue;
    index.emplace(i, part.runs.size());
    part.runs.push_back(whole.runs[i]);
  }
  const auto copy = [&](const auto& from, auto& to) {
    for (const auto& record : from) {
      const auto found = index.find(record.run);
      if (found == index.end()) continue;
      to.push_back(record);
      to.back().run = found->second;
    }
  };
  copy(whole.trials, part.trials);
  copy(whole.bests, part.bests);
  copy(whole.done, part.done);
  copy(whole.transfers, part.transfers);
  part.warnings = whole.warnings;
  return part;
}

}  // namespace

ProblemPast Past::of(const Problem& problem) const {
  ProblemPast past;
  for (const Recorded<Done>& each : journal.done)
    if (each.record.problem == problem) past.done = each.record;
  for (const Recorded<Trial>& each : journal.trials)
    if (each.record.problem == problem) past.trials.push_back(each.record);
  for (const Recorded<Transfers>& each : journal.transfers)
    if (each.record.problem == problem) past.transfers = each.record;
  if (past.done)
    for (const Recorded<Best>& each : journal.bests)
      if (each.record.problem == problem) past.bests.push_back(each);
  return past;
}

double Past::seconds() const {
  std::vector<std::pair<const Problem*, double>> longest;
  const auto add = [&](const Problem& problem, double seconds) {
    const auto found =
        std::find_if(longest.begin(), longest.end(), [&](const auto& each) { return *each.first == problem; });
    if (found == longest.end())
      longest.emplace_back(&problem, seconds);
    else
      found->second = std::max(found->second, seconds);
  };
  for (const Recorded<Trial>& each : journal.trials) add(each.record.problem, each.record.elapsed_s);
  for (const Recorded<Done>& each : journal.done) add(each.record.problem, each.record.seconds);
  double sum = 0;
  for (const auto& [problem, seconds] : longest) sum += seconds;
  return sum;
}

std::optional<Past> read_past(const std::filesystem::path& path, const std::map<std::string, std::string>& options) {
  std::error_code error;
  // A run killed before its header leaves an empty file.
  if (const auto bytes = std::filesystem::file_size(path, error); error || bytes == 0) return std::nullopt;
  const Journal journal = read_journal(path);
  const auto last = std::find_if(journal.runs.rbegin(), journal.runs.rend(),
                                 [](const Journal::Run& run) { return run.tuning.has_value(); });
  if (last == journal.runs.rend()) return std::nullopt;
  if (const std::string differing = differences(last->tuning->options, options); !differing.empty())
    throw Error(
        fmt::format("--resume goes on with the last tuning in '{}', with the same options: {}; without --resume "
                    "a new one begins",
                    path.string(), differing));
  return Past{.tuning = *last->tuning, .journal = only(journal, last->tuning->id)};
}

}  // namespace moetune
