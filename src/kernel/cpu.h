#pragma once

#include "kernel/engine.h"
#include "kernels/cpu/gemm.h"

namespace moetune {

/// The `cpu` engine: vectorised and threaded tiles on the host. Its parameters are
///   BLOCK_SIZE_M  rows of one expert in a tile; they share each packed panel of weights
///   BLOCK_SIZE_N  weight rows in a tile
///   BLOCK_SIZE_K  depth of a packed panel
///   num_threads   threads that take tiles
///   stream_rows   tiles of at most this many rows read the weights once, unpacked
const Engine& cpu_engine();

/// The tile of a config that cpu_engine().why_invalid accepts.
cpu::TileShape cpu_tile_shape(const Config& config);

}  // namespace moetune
