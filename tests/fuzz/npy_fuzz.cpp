#include "data/npy.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view bytes) {
    const moetune::IntegerMatrix matrix = moetune::parse_npy(bytes, "ids.npy");
    moetune::require(matrix.rows >= 0 && matrix.columns >= 0, "a size below 0");
    moetune::require(static_cast<std::size_t>(matrix.rows * matrix.columns) == matrix.values.size(),
                     "values are not as many as the shape says");
    moetune::require(matrix.values.size() <= bytes.size(), "more values than there are bytes");
  });
}
