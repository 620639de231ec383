#include "base/files.h"

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(AtomicFile, MakesFoldersAndReplaces) {
  TemporaryFolder folder;
  const auto path = folder / "a/b/c.txt";
  write_file_atomically(path, "first");
  EXPECT_EQ(read_file(path), "first");
  write_file_atomically(path, std::string(300000, 'x'));
  EXPECT_EQ(read_file(path), std::string(300000, 'x'));
  // Nothing but the file is left behind.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "a/b"), {}), 1);
}

TEST(AtomicFile, NamesWhatCannotBeWritten) {
  TemporaryFolder folder;
  write_text(folder / "file", "");
  EXPECT_ERROR(write_file_atomically(folder / "file/below", "x"), "file");
  EXPECT_ERROR(make_writable_directory(folder / "file"), "is a file, not a folder");
  std::filesystem::create_directory(folder / "taken");
  EXPECT_ERROR(write_file_atomically(folder / "taken", "x"), "taken");
  // A failed rename leaves no temporary file.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2);
}

TEST(AtomicFile, NamesWhatCannotBeRead) {
  TemporaryFolder folder;
  EXPECT_ERROR(read_file(folder / "missing"), "missing");
  EXPECT_ERROR(read_file(folder.path()), "is a folder");
}

}  // namespace
}  // namespace moetune
