#include "cli/config_options.h"

#include "base/error.h"
#include "cli/command_line.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

SpaceOptions::Spaces spaces_of(std::vector<std::string> words,
                               const DeviceInfo& device = {.backend = Backend::cuda, .compute_capability = 90}) {
  return parse_options<SpaceOptions>(std::move(words)).spaces(device);
}

std::vector<int> values_of(const SearchSpace& space, std::string_view name) {
  for (const auto& axis : space.axes)
    if (axis.name == name) return axis.values;
  return {};
}

TEST(ConfigOptions, EveryEngineHasASearchSpace) {
  for (const Engine& engine : engines()) {
    const SearchSpace space = search_space_of(engine);
    EXPECT_EQ(space.engine, engine.name);
    ASSERT_EQ(space.axes.size(), engine.parameters.size());
    for (std::size_t i = 0; i < space.axes.size(); ++i) EXPECT_EQ(space.axes[i].name, engine.parameters[i]);
  }
}

TEST(ConfigOptions, EnginesAreThoseOfTheDeviceOrThoseThatAreNamed) {
  const auto names = [](const SpaceOptions::Spaces& spaces) {
    std::vector<std::string_view> found;
    for (const Engine* engine : spaces.engines) found.push_back(engine->name);
    return found;
  };
  EXPECT_EQ(names(spaces_of({})), (std::vector<std::string_view>{"wgmma", "wgmma_swap_ab", "mma"}));
  EXPECT_EQ(names(spaces_of({}, {.backend = Backend::cuda, .compute_capability = 80})),
            (std::vector<std::string_view>{"mma"}));
  EXPECT_EQ(names(spaces_of({}, {.backend = Backend::cpu})), (std::vector<std::string_view>{"cpu"}));
  EXPECT_EQ(names(spaces_of({"--engine", "mma"})), (std::vector<std::string_view>{"mma"}));
  EXPECT_EQ(names(spaces_of({"--engine", "mma,wgmma,mma"})), (std::vector<std::string_view>{"mma", "wgmma"}));
}

TEST(ConfigOptions, AKeyIsOfAllEnginesThatHaveIt) {
  const auto spaces = spaces_of({"-c", "BLOCK_SIZE_M=64", "-c", "num_warps=4", "-c", "blocks_per_sm=2"});
  for (const Engine* engine : spaces.engines)
    EXPECT_EQ(values_of(spaces.of(Stage::gate, *engine), "BLOCK_SIZE_M"), (std::vector<int>{64})) << engine->name;
  const Engine &wgmma = find_engine("wgmma"), &mma = find_engine("mma");
  EXPECT_EQ(values_of(spaces.of(Stage::gate, mma), "num_warps"), (std::vector<int>{4}));
  EXPECT_EQ(values_of(spaces.of(Stage::gate, wgmma), "blocks_per_sm"), (std::vector<int>{2}));
  EXPECT_ERROR(spaces_of({"--engine", "mma", "-c", "blocks_per_sm=2"}), "no engine here has 'blocks_per_sm'");
}

TEST(ConfigOptions, AxesAreRestrictedAndWidened) {
  const auto spaces = spaces_of({"-c", "BLOCK_SIZE_M=64,128", "-c", "num_stages=2:4:1", "-c", "GROUP_SIZE_M=7"});
  const Engine& engine = *spaces.engines.at(0);
  EXPECT_EQ(values_of(spaces.of(Stage::gate, engine), "BLOCK_SIZE_M"), (std::vector<int>{64, 128}));
  EXPECT_EQ(values_of(spaces.of(Stage::final, engine), "num_stages"), (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(values_of(spaces.of(Stage::final, engine), "GROUP_SIZE_M"), (std::vector<int>{7}));
}

TEST(ConfigOptions, AStageCanHaveItsOwn) {
  const auto spaces = spaces_of({"-c", "gate.BLOCK_SIZE_M=64", "-c", "BLOCK_SIZE_M=16,32"});
  const Engine& engine = *spaces.engines.at(0);
  EXPECT_EQ(values_of(spaces.of(Stage::gate, engine), "BLOCK_SIZE_M"), (std::vector<int>{64}));
  EXPECT_EQ(values_of(spaces.of(Stage::final, engine), "BLOCK_SIZE_M"), (std::vector<int>{16, 32}));
}

TEST(ConfigOptions, UnrepeatableValuesAreThereWhereAskedFor) {
  for (const char* name : {"wgmma", "wgmma_swap_ab"}) {
    const Engine& engine = find_engine(name);
    EXPECT_EQ(values_of(spaces_of({}).of(Stage::final, engine), "fuse_combine"), (std::vector<int>{0}));
    const auto asked = spaces_of({"--nondeterministic"});
    EXPECT_EQ(values_of(asked.of(Stage::final, engine), "fuse_combine"), (std::vector<int>{0, 2}));
    EXPECT_EQ(asked.of(Stage::final, engine).size(), 2 * spaces_of({}).of(Stage::final, engine).size());
    const auto pinned = spaces_of({"--nondeterministic", "-c", "fuse_combine=0"});
    EXPECT_EQ(values_of(pinned.of(Stage::final, engine), "fuse_combine"), (std::vector<int>{0})) << "-c has its way";
  }
}

TEST(ConfigOptions, BadAxesAreNamed) {
  EXPECT_ERROR(spaces_of({"-c", "BLOCK_M=64"}), "no engine here has 'BLOCK_M'");
  EXPECT_ERROR(spaces_of({"-c", "BLOCK_SIZ_M=64"}), "did you mean 'BLOCK_SIZE_M'");
  EXPECT_ERROR(spaces_of({"-c", "BLOCK_SIZE_M"}), "the form is KEY=VALUES");
  EXPECT_ERROR(spaces_of({"-c", "BLOCK_SIZE_M="}), "a value is empty");
  EXPECT_ERROR(spaces_of({"-c", "BLOCK_SIZE_M=big"}), "'big' is no integer");
  EXPECT_ERROR(spaces_of({"-c", "gat.BLOCK_SIZE_M=64"}), "gat");
  EXPECT_ERROR(spaces_of({"-c", "route.BLOCK_SIZE_M=64"}), "stage 'route' has no config");
  EXPECT_ERROR(spaces_of({"--engine", "cublas"}), "cublas");
  EXPECT_ERROR(spaces_of({"--engine", "cpu"}), "does not run on");
  EXPECT_ERROR(spaces_of({"--engine", "wgmma"}, {.backend = Backend::cuda, .compute_capability = 80}), "9.0");
}

std::map<Stage, StageConfig> parse(std::vector<std::string> words) {
  StageConfigOptions options;
  CLI::App app;
  options.add_to(app, "");
  std::reverse(words.begin(), words.end());
  app.parse(words);
  return options.parse();
}

TEST(ConfigOptions, StageConfigsAreChecked) {
  std::string good;
  for (const std::string_view key : find_engine("mma").parameters)
    good += std::string(good.empty() ? "" : ",") + std::string(key) + "=4";
  const auto configs = parse({"--config", "gate=mma:" + good, "--config", "final=mma:" + good});
  EXPECT_EQ(configs.at(Stage::gate).config.at("num_warps"), 4);
  EXPECT_ERROR(parse({"--config", "gate=mma:" + good, "--config", "gate=mma:" + good}), "given twice");
  EXPECT_ERROR(parse({"--config", "gate=nope:" + good}), "nope");
  EXPECT_ERROR(parse({"--config", "gate=mma:" + good + ",num_warp=3"}), "has no 'num_warp'; its keys:");
}

}  // namespace
}  // namespace moetune
