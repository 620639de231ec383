#include <array>

#include "kernel/cpu.h"
#include "kernel/engine.h"
#include "kernel/mma.h"
#include "kernel/wgmma.h"

namespace moetune {

std::span<const Engine> engines() {
  static const std::array<Engine, 4> table{wgmma_engine(), wgmma_swap_ab_engine(), mma_engine(), cpu_engine()};
  return table;
}

}  // namespace moetune
