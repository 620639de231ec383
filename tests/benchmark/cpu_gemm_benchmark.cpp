// The CPU engine's grouped GEMM beside OpenBLAS sgemm on the same machine in the same run: one expert's rows times the
// transposed weights. Ours reads and writes 16-bit floats, OpenBLAS fp32; both accumulate in fp32.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "backend/cpu/buffer.h"
#include "backend/cpu/host.h"
#include "kernels/cpu/route.h"
#include "kernels/lib/fill.h"

#if MOETUNE_WITH_OPENBLAS
#include <cblas.h>
#endif

namespace moetune {
namespace {

constexpr std::int64_t kDepth = 4096, kWidth = 2048;  // a shard of Mixtral's w1

Host& host() {
  static Host made(0);
  return made;
}

float element(std::uint64_t tensor, std::int64_t index) {
  return near_normal(random_bits(tensor, static_cast<std::uint64_t>(index)), 0.1f);
}

void report_rates(benchmark::State& state, std::int64_t rows, double weight_bytes) {
  using benchmark::Counter;
  const auto rate = Counter::kIsIterationInvariantRate;
  state.counters["FLOP/s"] = Counter(2.0 * static_cast<double>(rows * kDepth * kWidth), rate);
  state.counters["weights"] = Counter(weight_bytes, rate, Counter::kIs1000);  // bytes per second
}

void engine(benchmark::State& state, DType dtype, cpu::TileShape shape) {
  const std::int64_t rows = state.range(0);
  const int threads = static_cast<int>(state.range(1));
  const Buffer<std::uint16_t> x(rows * kDepth), w(kWidth * kDepth), out(rows * kWidth);
  for (std::int64_t i = 0; i < x.size(); ++i) x.data()[i] = to_bits(dtype, element(1, i));
  for (std::int64_t i = 0; i < w.size(); ++i) w.data()[i] = to_bits(dtype, element(2, i));
  std::vector<std::int32_t> slots(static_cast<std::size_t>(rows));
  std::iota(slots.begin(), slots.end(), 0);
  const std::vector<float> weights(slots.size(), 1.0f);
  const cpu::GroupedGemm gemm{.dtype = dtype,
                              .epilogue = Epilogue::plain,
                              .K = kDepth,
                              .N = kWidth,
                              .topk = 1,
                              .x = x.data(),
                              .x_pitch = kDepth,
                              .w = w.data(),
                              .sorted_slots = slots.data(),
                              .routing_weights = weights.data(),
                              .out = out.data()};
  const std::vector<std::int64_t> groups{0, rows};
  cpu::TileTable tiles;
  tiles.build(groups, shape, gemm.epilogue, gemm.width());
  host().reserve_scratch(threads, cpu::scratch_floats(shape, kDepth));
  for (auto _ : state) {
    host().pool().for_each(threads, tiles.size(), [&](std::int64_t i, int worker) {
      const cpu::Tile tile = tiles.at(i);
      cpu::gemm_tile(gemm, shape, tile, host().scratch(worker));
    });
    benchmark::ClobberMemory();
  }
  report_rates(state, rows, 2.0 * static_cast<double>(w.size()));
}

#if MOETUNE_WITH_OPENBLAS
void openblas(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  openblas_set_num_threads(static_cast<int>(state.range(1)));
  const Buffer<float> x(rows * kDepth), w(kWidth * kDepth), out(rows * kWidth);
  for (std::int64_t i = 0; i < x.size(); ++i) x.data()[i] = element(1, i);
  for (std::int64_t i = 0; i < w.size(); ++i) w.data()[i] = element(2, i);
  for (auto _ : state) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(rows), kWidth, kDepth, 1.0f, x.data(),
                kDepth, w.data(), kDepth, 0.0f, out.data(), kWidth);
    benchmark::ClobberMemory();
  }
  report_rates(state, rows, 4.0 * static_cast<double>(w.size()));
}
#endif

constexpr cpu::TileShape kPacked{.block_m = 512, .block_n = 256, .block_k = 512, .stream_rows = 1};
constexpr cpu::TileShape kStreamed{.block_m = 64, .block_n = 128, .block_k = 512, .stream_rows = 64};

/// The usual console, and at the end what the comparison comes to: the best run of each with the same arguments.
class Comparison : public benchmark::ConsoleReporter {
 public:
  Comparison()
      : ConsoleReporter(isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr ? OO_ColorTabular : OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const auto rate = run.counters.find("FLOP/s");
      if (run.run_type != Run::RT_Iteration || rate == run.counters.end()) continue;
      double& best = best_[run.run_name.args][run.run_name.function_name];
      best = std::max(best, rate->second.value);
    }
  }
  void Finalize() override {
    ConsoleReporter::Finalize();
    for (const auto& [arguments, rates] : best_) {
      const auto blas = rates.find("openblas_sgemm");
      if (blas == rates.end()) continue;
      for (const auto& [name, rate] : rates)
        if (name != blas->first)
          GetOutputStream() << fmt::format("{} {}: {:.1f} GFLOP/s, {:.2f} of OpenBLAS sgemm's {:.1f}\n", name,
                                           arguments, rate / 1e9, rate / blas->second, blas->second / 1e9);
    }
  }

 private:
  std::map<std::string, std::map<std::string, double>> best_;  // "rows:128/threads:1" -> name -> FLOP/s
};

void register_all() {
  const int all = host().pool().size();
  const auto with_arguments = [&](benchmark::internal::Benchmark* each, std::vector<std::int64_t> rows) {
    each->ArgNames({"rows", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
    for (const std::int64_t r : rows)
      for (const int threads : {1, all})
        if (threads == 1 || all > 1) each->Args({r, threads});
  };
  const std::vector<std::int64_t> many{64, 128, 256, 512}, few{1, 4, 8, 16, 32};
  const auto add_engine = [&](const char* name, DType dtype, const cpu::TileShape& shape,
                              const std::vector<std::int64_t>& rows) {
    with_arguments(benchmark::RegisterBenchmark(name, [=](benchmark::State& state) { engine(state, dtype, shape); }),
                   rows);
  };
#if MOETUNE_WITH_OPENBLAS
  with_arguments(benchmark::RegisterBenchmark("openblas_sgemm", openblas), many);
#endif
  add_engine("packed_bf16", DType::bf16, kPacked, many);
  add_engine("packed_fp16", DType::fp16, kPacked, many);
  add_engine("streamed_bf16", DType::bf16, kStreamed, few);
  add_engine("streamed_fp16", DType::fp16, kStreamed, few);
}

}  // namespace
}  // namespace moetune

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
#if !MOETUNE_WITH_OPENBLAS
  fmt::print(stderr,
             "cpu_gemm_benchmark: built without OpenBLAS, so there is no comparison: install libopenblas-dev\n");
#endif
  moetune::register_all();
  moetune::Comparison comparison;
  benchmark::RunSpecifiedBenchmarks(&comparison);
  benchmark::Shutdown();
}
