#include "export/check.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "export/formats.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

using Reasons = std::vector<std::string>;

struct Exported {
  std::string name, text;
  Sidecar sidecar;
};

Exported exported(std::string_view format) {
  Report report{.runs = {sample_environment()}, .rows = {}, .outcomes = {}, .failure_reasons = {}};
  for (const std::int64_t M : {16, 64}) report.rows.push_back({.best = legal_best(M), .run = 0});
  const Export files = find_export_format(format).write(select_rows(report, {}, {}));
  const ExportFile& map = files.files[files.files.size() - 2];  // the last before the sidecar: sglang's _down.json
  return {.name = map.name, .text = map.text, .sidecar = parse_sidecar(files.files.back().text, "sidecar")};
}

TEST(CheckEngineFile, FreshFromTheExport) {
  for (const char* format : {"vllm", "sglang"}) {
    const Exported file = exported(format);
    const auto entries = check_engine_file(file.name, file.text, file.sidecar, sample_environment());
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].name, file.name + " M=16");
    for (const CheckedEntry& entry : entries) EXPECT_EQ(entry.reasons, Reasons()) << entry.name;
  }
}

TEST(CheckEngineFile, WhatIsEditedAddedOrGone) {
  const Exported file = exported("vllm");
  Environment now = sample_environment();
  now.device.driver = "13.1";
  const auto entries = check_engine_file(file.name,
                                         R"({"16": {"BLOCK_SIZE_M": 32, "BLOCK_SIZE_N": 64, "BLOCK_SIZE_K": 128,
                                             "GROUP_SIZE_M": 8, "num_warps": 4, "num_stages": 3}, "128": {}})",
                                         file.sidecar, now);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].reasons,
            (Reasons{"it was edited: BLOCK_SIZE_M was 16 and is 32", "the driver was 13.0 and is 13.1"}));
  EXPECT_EQ(entries[1].reasons, Reasons{"nothing is known of where it comes from: moe-tune did not export it"});
  EXPECT_EQ(entries[2].name, file.name + " M=64");
  EXPECT_EQ(entries[2].reasons, Reasons{"it was exported and is no longer in the file"});
  EXPECT_EQ(
      check_engine_file(file.name, R"({"16": {}, "64": {"x": 1}})", file.sidecar, sample_environment())[0].reasons,
      Reasons{"it was edited: BLOCK_SIZE_M was 16 and is gone"});
}

TEST(Sidecar, ReadsWhatItWrites) {
  const Exported file = exported("sglang");
  EXPECT_EQ(file.sidecar.format, "sglang");
  EXPECT_EQ(file.sidecar.files.size(), 2u);
  EXPECT_EQ(file.sidecar.runs, std::vector{sample_environment()});
  ASSERT_EQ(file.sidecar.rows.size(), 2u);
  EXPECT_EQ(file.sidecar.rows[1].best, legal_best(64));
  const std::string text = to_text(file.sidecar);
  EXPECT_EQ(to_text(parse_sidecar(text, "again")), text);

  std::string wrong = text;
  wrong.replace(wrong.find("\"run\": 0"), 8, "\"run\": 1");
  EXPECT_ERROR(parse_sidecar(wrong, "s.json"), "s.json: 'rows[0].run' must be an index into the 1 runs");
  EXPECT_ERROR(parse_sidecar(R"({"schema": "moe-tune/report"})", "s.json"), "reader takes 'moe-tune/export'");
}

}  // namespace
}  // namespace moetune
