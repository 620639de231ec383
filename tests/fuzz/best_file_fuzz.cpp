#include "results/best_file.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view text) {
    const std::string written = moetune::to_text(moetune::parse_best_file(text, "best"));
    moetune::require(moetune::to_text(moetune::parse_best_file(written, "again")) == written,
                     "what was read is not what is written");
  });
}
