#include "results/space_file.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view text) {
    const auto read_and_write = [](std::string_view again) {
      return moetune::to_text(moetune::parse_space_file(again, "space"));
    };
    moetune::require_round_trip(read_and_write(text), read_and_write);
  });
}
