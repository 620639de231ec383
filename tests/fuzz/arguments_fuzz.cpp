// The small languages of the command line: the first byte says which.
#include "cli/axis.h"
#include "fuzz.h"
#include "problem/problem.h"
#include "results/repro.h"
#include "search/budget.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace moetune;
  if (size == 0) return 0;
  return fuzz_text(data + 1, size - 1, [which = data[0]](std::string_view text) {
    switch (which % 4) {
      case 0:
        parse_budget(to_string(parse_budget(text)));
        break;
      case 1:
        for (const std::int64_t value : parse_axis("--M", text)) require(value >= 1, "a value below the least");
        break;
      case 2: {
        const auto [stage, config] = parse_stage_argument(text);
        require(parse_stage_argument(to_argument(stage, config)) == std::pair(stage, config),
                "a config is not what its argument says");
        break;
      }
      default:
        require(to_string(parse_routing(to_string(parse_routing(text)))) == to_string(parse_routing(text)),
                "a routing is not what its name says");
    }
  });
}
