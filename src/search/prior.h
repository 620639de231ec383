#pragma once

#include <cstddef>
#include <vector>

#include "search/stage_space.h"

namespace moetune {

/// What can be told of a config before anything is measured.
struct Prior {
  double us = 1;         ///< a guess at the stage's time; only ratios within a stage mean anything
  double padding = 1;    ///< rows computed over rows there are
  double rereads = 1;    ///< times that the weights of an expert that is hit are read, by its row tiles
  double tail = 1;       ///< what the last wave of tiles adds: waves begun over waves filled
  double in_flight = 1;  ///< bytes on their way to a multiprocessor at a time
};

/// For each config of the space, from the stage's work, the device's ceilings and the shape of the config's tiles.
/// Configs of an engine without kernel plans are all alike.
std::vector<Prior> priors(const StageSpace& space);

}  // namespace moetune
