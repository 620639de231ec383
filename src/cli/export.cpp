#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/check_files.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record_files.h"
#include "cli/run_options.h"
#include "export/formats.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

/// Where a format of one file goes: into a folder under its own name, else where it was said.
fs::path file_target(const std::string& out, const ExportFile& file) {
  std::error_code error;
  return out.ends_with('/') || fs::is_directory(out, error) ? fs::path(out) / file.name : fs::path(out);
}

class ExportCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    add_record_files(app, inputs_);
    app.add_option("--format", format_, "Format to write, one of those below; required")->type_name("NAME");
    app.add_option("--out", out_,
                   "Folder to write to, or, for the formats of one file, the file; '-' is stdout for these; required")
        ->type_name("PATH");
    app.add_option("--impl", impl_,
                   "Take the configs of this implementation only: three_kernel or merged. Else vllm and sglang take "
                   "those of three_kernel where there are any, the other formats those of the faster one")
        ->type_name("IMPL");
    app.add_flag(
        "--check", check_,
        "Write nothing: say of each config in the files, or in exported ones of vllm and sglang, whether it is "
        "stale for this --device, and why");
    device_.add_to(app);
    std::string formats;
    for (const ExportFormat& format : export_formats())
      formats += fmt::format("  {:<24}  {}\n", format.name, format.summary);
    app.footer(
        "Formats:\n" + formats +
        "\nvllm and sglang take configs of the engine mma only: tune with --engine mma, or other engines' winners "
        "leave "
        "gaps,\nwhich are filled from the nearest M. Beside each of their files a .moe-tune.json has all rows, with "
        "the "
        "reason for\nthose that were left out. The files written are printed, one a line.\n\n"
        "--check prints a line for each config, fresh or stale, with the reasons: another device, driver, compiler of "
        "kernels\nor kernel sources than when it was found, a config that is not legal here, an entry that was edited "
        "or "
        "is not\nmoe-tune's. Exit codes: 0 success, with --check all are fresh; 1 with --check, some are stale; 2 bad "
        "input.\n\n"
        "Examples:\n"
        "  moe-tune tune --model qwen3-30b-a3b --engine mma --out tuned\n"
        "  moe-tune export --format vllm tuned --out vllm-configs   # then VLLM_TUNED_CONFIG_FOLDER=vllm-configs\n"
        "  moe-tune export --format gbench results/nvidia-h200/journal.jsonl --out before.json\n"
        "  moe-tune export --format t4 results/nvidia-h200 --out t4  # for Kernel Tuner's and others' analyses\n"
        "  moe-tune export --check vllm-configs tuned/best             # does it have to be tuned again?");
  }

  int run(const Session&) override {
    if (check_) return run_check();
    // Not left to CLI11, which would say this first where one of them is misspelt.
    if (format_.empty()) throw Error("which format? e.g. --format vllm; `moe-tune export --help` has them all");
    if (out_.empty()) throw Error("where to? e.g. --out exported");
    const ExportFormat& format = find_export_format(format_);
    const std::optional<Impl> only = impl_.empty() ? std::nullopt : std::optional(parse_impl(impl_));
    if (!format.one_file && out_ == "-")
      throw Error(fmt::format("--out -: {} is several files; give a folder", format.name));

    const Export result = format.write_trials != nullptr ? format.write_trials(read_records(inputs_).journals, only)
                                                         : write_best_configs(format, only);

    if (!format.one_file) make_writable_directory(out_);
    for (const ExportFile& file : result.files) {
      if (out_ == "-") {
        write_output(out_, file.text);
        continue;
      }
      const fs::path path = format.one_file ? file_target(out_, file) : fs::path(out_) / file.name;
      write_file_atomically(path, file.text);
      fmt::print("{}\n", path.string());
    }
    for (const std::string& note : result.notes) warn(note);
    return 0;
  }

 private:
  int run_check() const;
  Export write_best_configs(const ExportFormat& format, std::optional<Impl> only) const {
    const Report report = read_report(inputs_);
    const Selection selection = select_rows(report, format.preferred, only);
    if (selection.rows.empty())
      throw Error(fmt::format("nothing to export: no best config of {} in these files; leave --impl out or tune it",
                              to_string(*only)));
    return format.write(selection);
  }

  std::vector<std::string> inputs_;
  std::string format_, out_, impl_;
  bool check_ = false;
  DeviceOptions device_;
};

int ExportCommand::run_check() const {
  for (const auto& [name, value] : {std::pair("--format", &format_), {"--out", &out_}, {"--impl", &impl_}})
    if (!value->empty()) throw Error(fmt::format("{} says what to write, and --check writes nothing", name));
  const auto device = device_.open(false);
  const Environment now = describe_environment(device->info(), {}, {});
  const std::vector<CheckedEntry> entries = check_files(inputs_, now);
  std::size_t stale = 0;
  for (const CheckedEntry& entry : entries) {
    if (!entry.reasons.empty()) ++stale;
    fmt::print("{}  {}{}{}\n", entry.reasons.empty() ? "fresh" : "stale", entry.name, entry.reasons.empty() ? "" : ": ",
               fmt::join(entry.reasons, "; "));
  }
  fmt::print("{} of {} entries are stale\n", stale, entries.size());
  return static_cast<int>(stale > 0 ? ExitCode::regression : ExitCode{});
}

}  // namespace

std::unique_ptr<Command> make_export() {
  return std::make_unique<ExportCommand>();
}

}  // namespace moetune
