// What stands beside those config files, and what is made of it.
#include "export/check.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view text) {
    const moetune::Sidecar sidecar = moetune::parse_sidecar(text, "sidecar");
    for (const moetune::Environment& now : sidecar.runs)
      for (const char* name : {"E=8.json", "E=8_down.json"})
        moetune::check_engine_file(name, R"({"16": {"BLOCK_SIZE_M": 16}})", sidecar, now);
    moetune::require_round_trip(to_text(sidecar),
                                [](std::string_view again) { return to_text(moetune::parse_sidecar(again, "again")); });
  });
}
