#include "results/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "results/json.h"
#include "results/transfer_json.h"

namespace moetune {
namespace {

constexpr std::string_view kJournalSchema = "moe-tune/journal";

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw Error(fmt::format("cannot write the journal '{}': {}", path.string(), std::strerror(errno)));
}

/// When it began, the process, and a count: a process may write for several devices.
std::string new_run_id(const Environment& environment) {
  static int count = 0;
  const std::string id = fmt::format("{}-{}", environment.created, getpid());
  return count++ == 0 ? id : fmt::format("{}.{}", id, count);
}

/// A line of JSON. Bytes that are no UTF-8 (in a path, say) are replaced rather than thrown over.
std::string to_line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json record(std::string_view kind, std::string_view run, Json fields) {
  Json json{{"kind", kind}, {"run", run}};
  for (auto& [key, value] : fields.items()) json[key] = std::move(value);
  return json;
}

Json to_json(const TuningKey& tuning) {
  Json options = Json::object();
  for (const auto& [key, value] : tuning.options) options[key] = value;
  return {{"id", tuning.id}, {"options", std::move(options)}};
}

TuningKey read_tuning(const Field& field) {
  TuningKey tuning{.id = field.at("id").text(), .options = {}};
  for (const auto& [key, value] : field.at("options").members()) tuning.options.emplace(key, value.text());
  return tuning;
}

Json to_json(const Done& done) {
  Json failures = Json::object();
  for (const auto& [impl, reason] : done.failures) failures[std::string(to_string(impl))] = reason;
  Json json{{"problem", to_json(done.problem)}, {"seconds", done.seconds}, {"failures", std::move(failures)}};
  if (done.spent) {
    json["compiling_s"] = done.spent->compiling;
    json["on_device_s"] = done.spent->on_device;
  }
  return json;
}

Done read_done(const Field& field) {
  Done done{.problem = read_problem(field.at("problem")), .seconds = field.at("seconds").finite(), .failures = {}};
  if (const auto compiling = field.find("compiling_s"))
    done.spent = {.compiling = compiling->finite(), .on_device = field.at("on_device_s").finite()};
  for (const auto& [impl, reason] : field.at("failures").members())
    done.failures.emplace(reason.located([&name = impl] { return parse_impl(name); }), reason.text());
  return done;
}

/// Throws Error unless this is a journal's first line.
void check_first_line(std::string_view line, const Origin& origin) {
  std::string reason;
  try {
    const Json json = parse_json(line, origin);
    if (Field document(json, origin); document.find("schema")) return check_schema(document, kJournalSchema);
    reason = "it has no 'schema'";
  } catch (const nlohmann::json::exception&) {
    reason = "its first line is no JSON object";
  } catch (const Error& error) {
    if (std::string_view(error.what()).find("schema") != std::string_view::npos) throw;
    reason = "its first line is no JSON object";
  }
  throw Error(fmt::format("'{}' is no moe-tune journal: {}; journals are the *.jsonl files that `moe-tune tune` writes",
                          origin.file, reason));
}

}  // namespace

std::string new_tuning_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

JournalWriter::JournalWriter(const std::filesystem::path& path, const Environment& environment,
                             const std::optional<TuningKey>& tuning)
    : path_(path), run_(new_run_id(environment)), device_id_(environment.device.id) {
  if (path.has_parent_path()) make_writable_directory(path.parent_path());
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail(path_);
  try {
    Json fields{{"schema", kJournalSchema}, {"schema_version", kSchemaVersion}, {"environment", to_json(environment)}};
    if (tuning) fields["tuning"] = to_json(*tuning);
    std::string header = to_line_of(record("header", run_, std::move(fields)));
    struct stat status {};
    if (fstat(file_, &status) != 0) fail(path_);
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
      std::ifstream old(path_);
      std::string first;
      std::getline(old, first);
      check_first_line(first, {.file = path_.string(), .line = 1});
      // A run killed in mid-write leaves half a line: start below it, not behind it.
      char last = '\n';
      if (pread(file_, &last, 1, status.st_size - 1) == 1 && last != '\n') header.insert(header.begin(), '\n');
    }
    write_line(std::move(header));
  } catch (...) {
    close(file_);
    throw;
  }
}

JournalWriter::~JournalWriter() {
  fdatasync(file_);
  close(file_);
}

void JournalWriter::write_line(std::string line) {
  // All at once, unless the disk fills up: then the next write says why.
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = write(file_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) fail(path_);
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (std::chrono::steady_clock::now() - synced_ >= std::chrono::seconds(1)) sync();
}

void JournalWriter::sync() {
  fdatasync(file_);
  synced_ = std::chrono::steady_clock::now();
}

void JournalWriter::add(const Trial& trial) {
  write_line(to_line_of(record("trial", run_, to_json(trial, device_id_))));
}

void JournalWriter::add(const Best& best) {
  write_line(to_line_of(record("best", run_, to_json(best, device_id_))));
  sync();
}

void JournalWriter::add(std::span<const Best> bests, const Done& done) {
  std::string lines;
  for (const Best& best : bests) lines += to_line_of(record("best", run_, to_json(best, device_id_)));
  write_line(lines + to_line_of(record("done", run_, to_json(done))));
  sync();
}

void JournalWriter::add(const Transfers& transfers) {
  write_line(to_line_of(record("transfer", run_, to_json(transfers))));
  sync();
}

Journal parse_journal(std::string_view text, std::string_view origin_name) {
  Journal journal;
  Origin origin{.file = std::string(origin_name), .line = 0};
  std::string_view rest = text;
  if (rest.empty()) throw Error(fmt::format("'{}' is empty; a journal begins with a header line", origin.file));

  while (!rest.empty()) {
    ++origin.line;
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    if (origin.line == 1) check_first_line(line, origin);
    if (line.empty()) continue;

    try {
      const Json json = parse_json(line, origin);
      const Field fields(json, origin);
      const std::string kind = fields.at("kind").text();
      const std::string run = fields.at("run").text();
      if (kind == "header") {
        check_schema(fields, kJournalSchema);
        journal.runs.push_back({.id = run, .environment = read_environment(fields.at("environment")), .tuning = {}});
        if (const auto tuning = fields.find("tuning")) journal.runs.back().tuning = read_tuning(*tuning);
        continue;
      }
      if (kind != "trial" && kind != "best" && kind != "done" && kind != "transfer")
        continue;  // of a later minor version
      const auto found =
          std::find_if(journal.runs.rbegin(), journal.runs.rend(), [&](auto& each) { return each.id == run; });
      if (found == journal.runs.rend()) fields.at("run").fail("has no header before this line");
      const auto index = static_cast<std::size_t>(journal.runs.rend() - found) - 1;
      if (kind == "trial")
        journal.trials.push_back({read_trial(fields), index, origin.line});
      else if (kind == "done")
        journal.done.push_back({read_done(fields), index, origin.line});
      else if (kind == "transfer")
        journal.transfers.push_back({read_transfers(fields), index, origin.line});
      else
        journal.bests.push_back({read_best(fields), index, origin.line});
    } catch (const Error& error) {
      const bool truncated = rest.empty() && end == rest.npos;
      journal.warnings.push_back(fmt::format("{}; the line is left out{}", error.what(),
                                             truncated ? " (it is the last and incomplete: the run was killed)" : ""));
    }
  }
  return journal;
}

Journal read_journal(const std::filesystem::path& path) {
  return parse_journal(read_file(path), path.string());
}

}  // namespace moetune
