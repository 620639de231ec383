#include "space/search_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/resources.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

constexpr std::string_view kText = R"({
  "engine": "mma",
  "axes": {"BLOCK_SIZE_M": [64, 16, 32], "num_warps": [4, 8], "BLOCK_SIZE_K": [32]},
  "presets": {"default": {"num_warps": 2, "BLOCK_SIZE_K": 32, "BLOCK_SIZE_M": 48}}
})";

SearchSpace space() {
  return parse_search_space(kText, "mma.json");
}

TEST(SearchSpace, KeepsTheOrderOfAxesAndSortsTheirValues) {
  ASSERT_EQ(space().axes.size(), 3u);
  EXPECT_EQ(space().engine, "mma");
  EXPECT_EQ(space().axes[0].name, "BLOCK_SIZE_M");
  EXPECT_EQ(space().axes[0].values, (std::vector{16, 32, 64}));
  EXPECT_EQ(space().axes[1].name, "num_warps");
  EXPECT_EQ(space().axes[2].name, "BLOCK_SIZE_K");
}

TEST(SearchSpace, PresetsTakeTheOrderOfTheAxes) {
  EXPECT_EQ(space().presets.at("default"), (Config{{"BLOCK_SIZE_M", 48}, {"num_warps", 2}, {"BLOCK_SIZE_K", 32}}));
}

TEST(SearchSpace, CountsAllConfigsTheLastAxisFastest) {
  SearchSpace three = space();
  restrict_axis(three, "BLOCK_SIZE_K=32,64");
  ASSERT_EQ(three.size(), 12u);
  EXPECT_EQ(three.at(0), (Config{{"BLOCK_SIZE_M", 16}, {"num_warps", 4}, {"BLOCK_SIZE_K", 32}}));
  EXPECT_EQ(three.at(1), (Config{{"BLOCK_SIZE_M", 16}, {"num_warps", 4}, {"BLOCK_SIZE_K", 64}}));
  EXPECT_EQ(three.at(11), (Config{{"BLOCK_SIZE_M", 64}, {"num_warps", 8}, {"BLOCK_SIZE_K", 64}}));
  std::set<Config> all;
  for (std::uint64_t i = 0; i < three.size(); ++i) all.insert(three.at(i));
  EXPECT_EQ(all.size(), 12u);
  EXPECT_THROW((void)three.at(12), std::out_of_range);
}

TEST(SearchSpace, NeighboursDifferByOneStepOnOneAxis) {
  const auto near = space().neighbours({{"BLOCK_SIZE_M", 32}, {"num_warps", 8}, {"BLOCK_SIZE_K", 32}});
  EXPECT_EQ(near, (std::vector<Config>{{{"BLOCK_SIZE_M", 16}, {"num_warps", 8}, {"BLOCK_SIZE_K", 32}},
                                       {{"BLOCK_SIZE_M", 64}, {"num_warps", 8}, {"BLOCK_SIZE_K", 32}},
                                       {{"BLOCK_SIZE_M", 32}, {"num_warps", 4}, {"BLOCK_SIZE_K", 32}}}));
}

TEST(SearchSpace, ConfigsOffTheGridHaveNeighboursOnIt) {
  const auto near = space().neighbours(space().presets.at("default"));
  EXPECT_EQ(near, (std::vector<Config>{{{"BLOCK_SIZE_M", 32}, {"num_warps", 2}, {"BLOCK_SIZE_K", 32}},
                                       {{"BLOCK_SIZE_M", 64}, {"num_warps", 2}, {"BLOCK_SIZE_K", 32}},
                                       {{"BLOCK_SIZE_M", 48}, {"num_warps", 4}, {"BLOCK_SIZE_K", 32}}}));
}

TEST(SearchSpace, BeingANeighbourIsMutual) {
  const SearchSpace all = space();
  for (std::uint64_t i = 0; i < all.size(); ++i)
    for (const Config& near : all.neighbours(all.at(i))) {
      const auto back = all.neighbours(near);
      EXPECT_NE(std::find(back.begin(), back.end(), all.at(i)), back.end());
    }
}

TEST(SearchSpace, NamesThePlaceAndTheEntry) {
  const auto parse = [](std::string_view text) { return parse_search_space(text, "x.json"); };
  EXPECT_ERROR(parse("{]"), "x.json: not valid JSON");
  EXPECT_ERROR(parse("[]"), "x.json: expected an object");
  EXPECT_ERROR(parse(R"({"axes": {"a": [1]}})"), "x.json: 'engine'");
  EXPECT_ERROR(parse(R"({"engine": 3, "axes": {"a": [1]}})"), "'engine'");
  EXPECT_ERROR(parse(R"({"engine": "e"})"), "x.json: 'axes'");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {}})"), "'axes'");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": []}})"), "axis 'a'");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": 4}})"), "axis 'a'");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"": [4]}})"), "no name");
  for (const char* const value : {"-1", "1.5", "\"4\"", "true", "4294967296", "1e300"}) {
    EXPECT_ERROR(parse(std::string(R"({"engine": "e", "axes": {"a": [1, )") + value + "]}}"), "axis 'a': ");
  }
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": [1]}, "axis": 1})"), "unknown key 'axis'");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": [1]}, "presets": []})"), "'presets'");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": [1]}, "presets": {"p": {"b": 1}}})"),
               "preset 'p': 'b' is no axis: use a");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": [1]}, "presets": {"p": {}}})"), "preset 'p': 'a' is missing");
  EXPECT_ERROR(parse(R"({"engine": "e", "axes": {"a": [1]}, "presets": {"p": {"a": -1}}})"), "not a whole number");
}

TEST(RestrictAxis, PinsOrWidens) {
  SearchSpace changed = space();
  restrict_axis(changed, "num_warps=4");
  EXPECT_EQ(changed.axes[1].values, (std::vector{4}));
  restrict_axis(changed, "num_warps=16,2,16");
  EXPECT_EQ(changed.axes[1].values, (std::vector{2, 16}));
}

TEST(RestrictAxis, NamesTheKnownAxesAndLeavesTheSpaceAsItWas) {
  SearchSpace changed = space();
  EXPECT_ERROR(restrict_axis(changed, "BLOCK_M=64"),
               "unknown axis 'BLOCK_M' of engine mma: use BLOCK_SIZE_M, num_warps");
  EXPECT_ERROR(restrict_axis(changed, "num_warps"), "gives no values");
  for (const char* const text : {"num_warps=", "num_warps=4,", "num_warps=x", "num_warps=-4",
                                 "num_warps=4x", "num_warps= 4", "num_warps=99999999999"})
    EXPECT_ERROR(restrict_axis(changed, text), "not a whole number");
  EXPECT_EQ(changed.axes[1].values, (std::vector{4, 8}));
}

// Whatever search spaces the binary carries.
TEST(SearchSpaceFiles, AllLoad) {
  for (const Resource& file : resources()) {
    const bool other = file.path.ends_with("/models.json") || file.path.ends_with("/schema.json");
    if (!file.path.starts_with("search_spaces/") || other) continue;
    EXPECT_GT(parse_search_space(file.text, file.path).size(), 0u) << file.path;
  }
}

}  // namespace
}  // namespace moetune
