#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/output.h"
#include "report/answer.h"
#include "report/exporters.h"
#include "results/json.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

/// Journals as one text. Runs keep their ids unless another has the same, as processes with the same id on two hosts
/// may; a run that is in two journals (one of them was merged before) is taken once.
class JoinedJournals {
 public:
  void add(const fs::path& path) {
    const std::string text = read_file(path);
    std::map<std::string, std::string> names;  // run -> what it is called here
    std::set<std::string> known;               // runs of this journal that are there already
    Origin origin{.file = path.string(), .line = 0};
    for (std::string_view rest = text; !rest.empty();) {
      ++origin.line;
      const auto end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
      Json json;
      try {
        json = parse_json(line, origin);
      } catch (const Error&) {
        continue;  // read_journal() has named it
      }
      if (!json.is_object() || !json.contains("run") || !json["run"].is_string()) continue;
      const std::string run = json["run"];
      if (json.value("kind", "") == "header") {
        if (const auto [same, is_new] = headers_.emplace(run, line); !is_new && same->second != line) {
          names[run] = new_name(run);
          headers_.emplace(names[run], line);
        } else if (!is_new) {
          known.insert(run);
        }
      }
      if (known.contains(run)) continue;
      if (const auto renamed = names.find(run); renamed != names.end()) {
        json["run"] = renamed->second;
        text_ += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      } else {
        text_ += std::string(line) + "\n";
      }
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string new_name(const std::string& run) const {
    for (int i = 2;; ++i)
      if (std::string name = fmt::format("{}_{}", run, i); !headers_.contains(name)) return name;
  }

  std::map<std::string, std::string> headers_;
  std::string text_;
};

/// What one folder found for one problem.
struct Finding {
  const Problem* problem = nullptr;
  const Environment* environment = nullptr;
  std::string folder;
  std::vector<Best> bests;

  double fastest_us() const {
    return std::min_element(bests.begin(), bests.end(),
                            [](const Best& a, const Best& b) { return a.time.median_us < b.time.median_us; })
        ->time.median_us;
  }
};

/// Of each problem the finding whose fastest implementation is the fastest. The implementations stay together: their
/// ratio is from common rounds. Throws Error where a problem was measured on different devices.
std::vector<Finding> choose(const std::vector<Finding>& findings) {
  std::vector<Finding> chosen;
  for (const Finding& finding : findings) {
    const auto rival = std::find_if(chosen.begin(), chosen.end(),
                                    [&](const Finding& each) { return *each.problem == *finding.problem; });
    if (rival == chosen.end()) {
      chosen.push_back(finding);
      continue;
    }
    if (rival->environment->device.name != finding.environment->device.name)
      throw Error(
          fmt::format("{} was measured on {} in '{}' and on {} in '{}': merge the folders of each device by "
                      "themselves",
                      to_line(*finding.problem), rival->environment->device.name, rival->folder,
                      finding.environment->device.name, finding.folder));
    if (finding.fastest_us() < rival->fastest_us()) *rival = finding;
  }
  return chosen;
}

class MergeCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("folders", folders_, "Folders that `moe-tune tune --out` wrote")->required()->type_name("DIR");
    app.add_option("--out", out_, "Folder for the joined journal, the best configs and the report")
        ->required()
        ->group("Output")
        ->type_name("DIR");
    app.footer(
        "Examples:\n"
        "  moe-tune merge results/shard-* --out results/h200\n\n"
        "The journals are joined. Where a problem was tuned in several folders, the best-config files are those of "
        "the\n"
        "folder whose fastest implementation is the fastest; the journal keeps all.\n"
        "Exit codes: 0 success, 2 bad input.");
  }

  int run(const Session& session) override {
    JoinedJournals joined;
    std::vector<Report> reports;
    for (const std::string& folder : folders_) {
      const fs::path path = fs::path(folder) / "journal.jsonl";
      const Journal journal = read_journal(path);
      for (const std::string& warning : journal.warnings) warn(warning);
      reports.push_back(make_report({}, best_files_of(folder)));
      joined.add(path);
    }
    std::vector<Finding> findings;
    for (std::size_t i = 0; i < reports.size(); ++i) add_findings(reports[i], folders_[i], findings);
    const std::vector<Finding> chosen = choose(findings);
    check_destination();

    std::vector<BestFile> best_files;
    for (const Finding& finding : chosen)
      for (const Best& best : finding.bests) best_files.push_back({.best = best, .environment = *finding.environment});
    write_file_atomically(fs::path(out_) / "journal.jsonl", joined.text());
    for (const BestFile& file : best_files) write_best_file(fs::path(out_) / "best", file);
    const Report report = make_report({}, best_files);
    write_file_atomically(fs::path(out_) / "report.md", to_markdown(report));
    fmt::print("{}{}{}\n", to_console(report, session.colours), report.rows.empty() ? "" : "\n", answer_line(report));
    return 0;
  }

 private:
  /// What the folder gives for an answer. Its journal may hold several, and which of them counts is not written there.
  static std::vector<BestFile> best_files_of(const fs::path& folder) {
    std::vector<BestFile> files;
    std::error_code error;
    for (fs::directory_iterator at(folder / "best", error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".json") files.push_back(read_best_file(at->path()));
    return files;
  }

  static void add_findings(const Report& report, const std::string& folder, std::vector<Finding>& findings) {
    const auto first = static_cast<std::ptrdiff_t>(findings.size());
    for (const ReportRow& row : report.rows) {
      if (!row.best.verdict.passed) continue;
      const Environment& environment = report.runs[row.run];
      auto found = std::find_if(findings.begin() + first, findings.end(), [&](const Finding& each) {
        return *each.problem == row.best.problem && each.environment->device == environment.device;
      });
      if (found == findings.end())
        found = findings.insert(
            findings.end(), {.problem = &row.best.problem, .environment = &environment, .folder = folder, .bests = {}});
      found->bests.push_back(row.best);
    }
  }

  /// A journal that would be lost is not overwritten.
  void check_destination() const {
    std::error_code error;
    if (!fs::exists(fs::path(out_) / "journal.jsonl", error)) return;
    for (const std::string& folder : folders_)
      if (fs::equivalent(folder, out_, error)) return;
    throw Error(
        fmt::format("'{}' holds a journal already: name it among the folders too, or give another --out", out_));
  }

  std::vector<std::string> folders_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_merge() {
  return std::make_unique<MergeCommand>();
}

}  // namespace moetune
