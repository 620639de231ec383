// The config files of vLLM and SGLang, as `export --check` reads them.
#include "export/check.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view text) {
    for (const moetune::CheckedEntry& entry : moetune::check_engine_file("E=8.json", text, {}, {}))
      moetune::require(entry.reasons.size() == 1, "an entry that nothing is known of is fresh");
  });
}
