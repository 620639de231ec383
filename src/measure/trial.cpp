#include "measure/trial.h"

#include "base/error.h"

namespace moetune {

std::string_view to_string(Trial::Phase phase) {
  switch (phase) {
    case Trial::Phase::screen:
      return "screen";
    case Trial::Phase::final:
      return "final";
  }
  return "?";
}

Trial::Phase parse_phase(std::string_view name) {
  for (const Trial::Phase phase : {Trial::Phase::screen, Trial::Phase::final})
    if (to_string(phase) == name) return phase;
  throw Error("unknown phase '" + std::string(name) + "': phases are screen and final");
}

}  // namespace moetune
