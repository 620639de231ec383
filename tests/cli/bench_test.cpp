#include "cli/bench.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command_line.h"
#include "results/best_file.h"
#include "results/repro.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

BenchOptions parse_repro(const std::string& line) {
  std::vector<std::string> words = shell_words(line);
  EXPECT_EQ(words[0], "moe-tune");
  EXPECT_EQ(words[1], "bench");
  return parse_options<BenchOptions>({words.begin() + 2, words.end()});
}

TEST(Bench, ReproCommandLinesReadBack) {
  for (const Impl impl : kImpls) {
    Best best = sample_best(impl);
    best.data = {.fill = Fill::exact_integer, .seed = 18446744073709551615ull};
    best.timing = {.cache = CacheState::warm, .launch = LaunchMode::stream, .load = LoadState::replays};
    best.problem.weight_on_input = true;
    best.problem.bias = Bias::b2;
    const BenchOptions options = parse_repro(repro_command(best, "cuda:3"));
    EXPECT_EQ(options.device.id, "cuda:3");
    EXPECT_FALSE(options.stages);
    EXPECT_EQ(options.jobs(), (std::vector<BenchOptions::Job>{{.problem = best.problem,
                                                               .impl = impl,
                                                               .given = best.config.stages,
                                                               .data = best.data,
                                                               .timing = best.timing}}));
  }
  EXPECT_TRUE(parse_repro(repro_command(sample_trial(), "cpu")).stages) << "a trial of one stage times stages";
}

TEST(Bench, QuotedRoutingFilesReadBack) {
  TemporaryFolder folder;
  const std::string path = (folder / "it's, \"here\".npy").string();
  // [16, 8] of int32: ids 0 … 7 in each row.
  std::string text("\x93NUMPY\x01\x00", 8);
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (16, 8), }";
  header += std::string(117 - header.size(), ' ') + "\n";
  text += static_cast<char>(header.size());
  text += '\0';
  text += header;
  for (int row = 0; row < 16; ++row)
    for (char id = 0; id < 8; ++id) text += std::string{id, 0, 0, 0};
  write_text(path, text);
  Best best = sample_best();
  best.problem.routing = {.kind = RoutingSpec::Kind::file, .zipf_s = 1, .path = path};
  EXPECT_EQ(parse_repro(repro_command(best, "cpu")).jobs()[0].problem, best.problem);
}

TEST(Bench, BestFilesBringProblemAndConfig) {
  TemporaryFolder folder;
  const auto path = write_best_file(folder.path(), {.best = sample_best(), .environment = sample_environment()});
  const auto jobs = parse_options<BenchOptions>({path.string(), "--seed", "3"}).jobs();
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].given, sample_best().config.stages);
  EXPECT_EQ(jobs[0].data.seed, 3u);
  EXPECT_ERROR(parse_options<BenchOptions>({path.string(), "--impl", "three_kernel"}).jobs(), "none of these files");
}

TEST(Bench, ConfigsForStagesThatAreNotThereAreRefused) {
  std::string config = "gemm1=mma:";
  for (const std::string_view key : find_engine("mma").parameters) config += std::string(key) + "=4,";
  config.pop_back();
  EXPECT_ERROR(
      parse_options<BenchOptions>({"--problem", "M=1,K=64,N1=64,E=4,topk=2", "--impl", "merged", "--config", config})
          .jobs(),
      "--impl merged has no such stage");
}

}  // namespace
}  // namespace moetune
