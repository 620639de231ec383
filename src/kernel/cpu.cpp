#include "kernel/cpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace moetune {
namespace {

constexpr std::array<std::string_view, 5> kParameters{"BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K", "num_threads",
                                                      "stream_rows"};

/// What a value must be: between 1 and `limit` and a multiple of `multiple`. The limits bound a thread's scratch memory
/// to 30 MB; the multiples are those of the problem's own sizes, and of two of them for the gate and up halves of a
/// tile.
struct Range {
  std::string_view name;
  int multiple;
  int limit;
};
constexpr std::array<Range, 5> kRanges{{{"BLOCK_SIZE_M", 1, 1024},
                                        {"BLOCK_SIZE_N", 16, 1024},
                                        {"BLOCK_SIZE_K", 8, 4096},
                                        {"num_threads", 1, 1 << 16},
                                        {"stream_rows", 1, 1024}}};

std::optional<std::string> why_invalid(const Config& config, Stage stage, const Problem&, const DeviceInfo& device) {
  for (const auto& [name, value] : config.values())
    if (std::find(kParameters.begin(), kParameters.end(), name) == kParameters.end())
      return fmt::format("the cpu engine has no parameter {}", name);
  if (stage == Stage::mlp) return "the cpu engine has no kernel of both GEMMs";
  if (!is_tunable(stage)) return fmt::format("stage {} has no config", to_string(stage));
  for (const Range& range : kRanges) {
    const std::optional<int> value = config.find(range.name);
    if (!value) return fmt::format("{} is missing", range.name);
    if (*value < 1 || *value > range.limit)
      return fmt::format("{}={} is not between 1 and {}", range.name, *value, range.limit);
    if (*value % range.multiple != 0)
      return fmt::format("{}={} is no multiple of {}", range.name, *value, range.multiple);
  }
  if (device.backend != Backend::cpu) return "the cpu engine runs on the CPU only";
  if (config.at("num_threads") > device.multiprocessors)
    return fmt::format("num_threads={}, but this machine has {} hardware thread{}", config.at("num_threads"),
                       device.multiprocessors, device.multiprocessors == 1 ? "" : "s");
  return std::nullopt;
}

/// Best guess first. A tile as wide as leaves each thread several of them converts its rows the fewest times; panels
/// 512 deep and 32 wide stay in the second-level cache. Streaming wins up to some 32 rows per expert (measured on Zen
/// 4).
std::vector<Config> first_configs(Stage stage, const Problem& problem, const DeviceInfo& device) {
  if (stage == Stage::mlp) return {};
  const std::int64_t slots = (problem.slots() + problem.ep_ranks - 1) / problem.ep_ranks;  // that are here, on average
  const std::int64_t experts = std::min(problem.E, slots);
  const std::int64_t rows = (slots + experts - 1) / experts;
  const std::int64_t weight_rows = epilogue_of(stage) == Epilogue::final ? problem.N2 : problem.N1;
  const int threads = std::max(device.multiprocessors, 1);

  int wide = 256;
  const auto tiles = [&](std::int64_t block_n) {
    return experts * ((rows + 255) / 256) * ((weight_rows + block_n - 1) / block_n);
  };
  while (wide > 32 && tiles(wide) < 4 * threads) wide /= 2;

  std::vector<Config> all;
  const auto add = [&](int m, int n, int k, int stream, int t) {
    all.push_back(
        {{"BLOCK_SIZE_M", m}, {"BLOCK_SIZE_N", n}, {"BLOCK_SIZE_K", k}, {"num_threads", t}, {"stream_rows", stream}});
  };
  add(256, wide, 512, 32, threads);
  add(256, wide, 512, rows <= 64 ? 64 : 8, threads);
  add(256, std::max(wide / 2, 32), 512, 32, threads);
  if (rows > 8) {
    add(128, wide, 512, 16, threads);
    add(256, wide, 1024, 16, threads);
    add(512, std::min(wide * 2, 512), 512, 32, threads);
    add(64, wide, 256, 16, threads);
  } else {
    add(16, std::max(wide / 4, 16), 512, 32, threads);
    add(16, std::min(wide * 2, 512), 512, 32, threads);
  }
  if (threads > 1) add(256, wide, 512, 32, threads / 2);  // one thread per core where cores have two
  return legal_and_different(std::move(all),
                             [&](const Config& config) { return !why_invalid(config, stage, problem, device); });
}

}  // namespace

const Engine& cpu_engine() {
  static constexpr Engine engine{.name = "cpu",
                                 .backend = Backend::cpu,
                                 .summary = "vectorised (Highway) and threaded, any x86-64 or arm64 host",
                                 .parameters = kParameters,
                                 .why_invalid = why_invalid,
                                 .first_configs = first_configs};
  return engine;
}

cpu::TileShape cpu_tile_shape(const Config& config) {
  return {.block_m = config.at("BLOCK_SIZE_M"),
          .block_n = config.at("BLOCK_SIZE_N"),
          .block_k = config.at("BLOCK_SIZE_K"),
          .stream_rows = config.at("stream_rows")};
}

}  // namespace moetune
