#include "results/journal.h"

#include "fuzz.h"
#include "results/space_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view text) {
    const moetune::Journal journal = moetune::parse_journal(text, "journal");
    for (const auto& trial : journal.trials) moetune::require(trial.run < journal.runs.size(), "a trial without a run");
    for (const auto& best : journal.bests) moetune::require(best.run < journal.runs.size(), "a best without a run");
    for (const std::string& warning : journal.warnings)
      moetune::require(warning.find('\n') == warning.npos, "a warning of more than one line");
    for (const moetune::SpaceFile& space : moetune::recorded_spaces(journal))  // what `record` makes of it
      moetune::require_round_trip(
          to_text(space), [](std::string_view again) { return to_text(moetune::parse_space_file(again, "again")); });
  });
}
