#include <set>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record_files.h"
#include "results/space_file.h"

namespace moetune {
namespace {

std::size_t failures(const RecordedSpace& space) {
  std::size_t count = 0;
  for (const RecordedSpace::Entry& entry : space.entries) count += entry.trials.front().outcome != Outcome::ok;
  return count;
}

/// All of them as one, whose parts may be of the same space.
Journal read_together(const std::vector<std::string>& inputs) {
  Journal together;
  for (Journal& journal : read_records(inputs).journals) {
    const std::size_t runs = together.runs.size();
    for (Journal::Run& run : journal.runs) together.runs.push_back(std::move(run));
    for (Recorded<Trial>& trial : journal.trials) {
      trial.run += runs;
      together.trials.push_back(std::move(trial));
    }
  }
  return together;
}

class RecordCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    add_record_files(app, inputs_);
    app.add_option("--out", out_, "Folder for the recorded spaces; required")->type_name("DIR");
    app.footer(
        "A space is what `moe-tune tune --strategy exhaustive` measured of a stage: each config with its outcome, its\n"
        "times and what they took, compressed. `moe-tune replay` searches it without the device. Journals of other\n"
        "strategies give parts of spaces; how much is said. The files written are printed, one a line.\n\n"
        "Example, 980 configs of each stage:\n"
        "  moe-tune tune --strategy exhaustive --impl merged --model qwen3-30b-a3b --M 16 --engine mma \\\n"
        "    -c BLOCK_SIZE_M=16,32 --out run\n"
        "  moe-tune record run --out spaces");
  }

  int run(const Session&) override {
    if (out_.empty()) throw Error("where to? e.g. --out spaces");
    make_writable_directory(out_);
    std::set<std::string> written;
    for (const SpaceFile& file : recorded_spaces(read_together(inputs_))) {
      if (!written.insert(space_file_name(file.space)).second)
        throw Error(
            fmt::format("{}: these journals have it of two devices, or timed in two ways: record them one by "
                        "one, into folders of their own",
                        space_file_name(file.space)));
      fmt::print("{}\n", write_space_file(out_, file).string());
      fmt::print(stderr, "  {} of {} legal configs with these values, {} of them failed\n", file.space.entries.size(),
                 legal_configs(file.space, engines()), failures(file.space));
    }
    if (written.empty())
      throw Error("no journal here has trials of a stage: `moe-tune tune --strategy exhaustive` writes one");
    return 0;
  }

 private:
  std::vector<std::string> inputs_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_record() {
  return std::make_unique<RecordCommand>();
}

}  // namespace moetune
