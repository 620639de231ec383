#include "results/environment.h"

#include <regex>

#include <gtest/gtest.h>

#include "kernel/engine.h"
#include "results/samples.h"

namespace moetune {
namespace {

TEST(Environment, SaysWhatBuiltItAndWhereItRuns) {
  const Environment here = describe_environment(sample_environment().device, {}, {"moe-tune", "list"});
  EXPECT_TRUE(std::regex_match(here.build.version, std::regex(R"(\d+\.\d+\.\d+)"))) << here.build.version;
  EXPECT_TRUE(std::regex_match(here.build.git_revision, std::regex(R"(unknown|[0-9a-f]{12}(\+changes)?)")))
      << here.build.git_revision;
  EXPECT_TRUE(std::regex_match(here.created, std::regex(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ)"))) << here.created;
  EXPECT_FALSE(here.build.compiler.empty());
  for (const Engine& engine : engines()) {
    const auto digest = here.build.kernels.find(std::string(engine.name));
    ASSERT_NE(digest, here.build.kernels.end()) << engine.name;
    EXPECT_TRUE(std::regex_match(digest->second, std::regex("[0-9a-f]{16}"))) << digest->second;
  }
  EXPECT_NE(here.build.kernels.at("mma"), here.build.kernels.at("wgmma"));
  EXPECT_NE(here.system.find("Linux"), std::string::npos);
  EXPECT_FALSE(here.cpu.empty());
  EXPECT_GT(here.hardware_threads, 0);
  EXPECT_GT(here.memory_bytes, 1 << 20);
  EXPECT_EQ(here.device, sample_environment().device);
  EXPECT_EQ(here.command, (std::vector<std::string>{"moe-tune", "list"}));
}

}  // namespace
}  // namespace moetune
