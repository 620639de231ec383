#include "kernel/engine.h"

#include <array>

#include "base/error.h"
#include "kernel/cpu.h"
#include "kernel/mma.h"

namespace moetune {

std::span<const Engine> engines() {
  static const std::array<Engine, 2> table{mma_engine(), cpu_engine()};
  return table;
}

const Engine& find_engine(std::string_view name) {
  std::string known;
  for (const Engine& engine : engines()) {
    if (engine.name == name) return engine;
    known += known.empty() ? "" : ", ";
    known += engine.name;
  }
  throw Error("unknown engine '" + std::string(name) + "': there are " + known);
}

}  // namespace moetune
