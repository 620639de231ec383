#include "moe_tune_configs.h"

using namespace moetune_configs;

static_assert(sizeof(kEntries) / sizeof(kEntries[0]) == 4);
static_assert(kEntries[0].M == 1 && kEntries[0].E == 128 && kEntries[0].first.BLOCK_SIZE_M == 16);
static_assert(kEntries[0].median_us > 0 && kFoundBy != nullptr);
