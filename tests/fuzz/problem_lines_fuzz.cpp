#include "fuzz.h"
#include "problem/problem.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return moetune::fuzz_text(data, size, [](std::string_view text) {
    for (const moetune::Problem& problem : moetune::parse_problem_lines(text, "batch"))
      moetune::require(moetune::parse_problem_line(moetune::to_line(problem)) == problem,
                       "a problem is not what its line says");
  });
}
