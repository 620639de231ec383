#include "cli/output.h"

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(Output, FoldersAreNamedAfterTheDevice) {
  EXPECT_EQ(default_results_folder({.name = "NVIDIA H200"}), "moe-tune-results/nvidia-h200");
  EXPECT_EQ(default_results_folder({.name = "AMD EPYC(TM) 9354 "}), "moe-tune-results/amd-epyc-tm-9354");
  EXPECT_EQ(default_results_folder({.name = "../.."}), "moe-tune-results/device");
}

TEST(Output, GoesToAFileOrSaysWhyNot) {
  TemporaryFolder folder;
  write_output((folder / "a.json").string(), "text");
  EXPECT_EQ(read_text(folder / "a.json"), "text");
  EXPECT_ERROR((write_output((folder / "a.json/b").string(), "text"), 0), "a.json");
}

}  // namespace
}  // namespace moetune
