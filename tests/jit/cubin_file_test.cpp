#include "jit/cubin_file.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const CubinFile::Content kContent{.log = "ptxas info\nUsed 3 registers",
                                  .cubin = {'\x7f', 'E', 'L', 'F', '\0', '\n', '\xff'}};

TEST(CubinFile, ReadsBackWhatWasWritten) {
  TemporaryFolder folder;
  const CubinFile file(folder / "kernels/a.cubin");
  EXPECT_FALSE(file.read());
  file.write(kContent);
  const auto read = file.read();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->log, kContent.log);
  EXPECT_EQ(read->cubin, kContent.cubin);
}

TEST(CubinFile, NamesADamagedEntry) {
  TemporaryFolder folder;
  const auto path = folder / "a.cubin";
  const CubinFile file(path);
  file.write(kContent);
  const std::string good = read_file(path);
  std::string flipped = good;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  for (const std::string& bad :
       {std::string(), std::string("moe-tune cubin 1"), good.substr(0, good.size() - 1), good + "x", flipped}) {
    write_file_atomically(path, bad);
    try {
      file.read();
      FAIL() << "took " << bad;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("delete it"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace moetune
