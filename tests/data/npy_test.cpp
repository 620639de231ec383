#include "data/npy.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "kernels/lib/fill.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

using namespace std::string_literals;

/// A .npy file as NumPy lays it out.
std::string npy(const std::string& header, const std::string& data, int version = 1) {
  std::string bytes = "\x93NUMPY"s + static_cast<char>(version) + '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(header.size() >> 8 * i & 0xff);
  return bytes + header + data;
}

std::string header_of(const std::string& dtype, const std::string& shape) {
  return "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }     \n";
}

std::string little_endian(std::initializer_list<std::int64_t> values, int bytes) {
  std::string data;
  for (const std::int64_t value : values)
    for (int i = 0; i < bytes; ++i) data += static_cast<char>(value >> 8 * i & 0xff);
  return data;
}

const std::string kGood = npy(header_of("<i4", "(2, 3)"), little_endian({1, -2, 3, 4, 5, 2147483647}, 4));

TEST(Npy, ReadsEveryIntegerType) {
  for (const auto& [dtype, bytes] : {std::pair{"|i1", 1}, {"<i1", 1}, {"<i2", 2}, {"<i4", 4}, {"<i8", 8}}) {
    const auto matrix = parse_npy(npy(header_of(dtype, "(3, 1)"), little_endian({5, -1, -128}, bytes)), "f");
    EXPECT_EQ(matrix.rows, 3);
    EXPECT_EQ(matrix.columns, 1);
    EXPECT_EQ(matrix.values, (std::vector<std::int64_t>{5, -1, -128})) << dtype;
  }
  for (const auto& [dtype, bytes] : {std::pair{"|u1", 1}, {"<u2", 2}, {"<u4", 4}, {"<u8", 8}})
    EXPECT_EQ(parse_npy(npy(header_of(dtype, "(1, 2)"), little_endian({5, 255}, bytes)), "f").values,
              (std::vector<std::int64_t>{5, 255}))
        << dtype;
}

TEST(Npy, ReadsAllVersions) {
  for (const int version : {1, 2, 3})
    EXPECT_EQ(parse_npy(npy(header_of("<i4", "(1, 2)"), little_endian({7, 8}, 4), version), "f").values,
              (std::vector<std::int64_t>{7, 8}));
}

TEST(Npy, ReadsHeadersInOtherSpellings) {
  const std::string data = little_endian({7, 8}, 4);
  EXPECT_EQ(parse_npy(npy("{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<i4\"}", data), "f").columns, 2);
  // An array of one row or column is in both orders at once.
  EXPECT_EQ(parse_npy(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 1)}", data), "f").rows, 2);
  EXPECT_EQ(parse_npy(npy(header_of("<i4", "(0, 4)"), ""), "f").rows, 0);
}

TEST(Npy, SaysWhatItFoundAndWhatItExpects) {
  const auto parse = [](const std::string& bytes) { return parse_npy(bytes, "ids.npy"); };
  const std::string data = little_endian({1, 2}, 4);
  EXPECT_ERROR(parse(""), "ids.npy: not a .npy file: expected a 2-D integer array");
  EXPECT_ERROR(parse("PK\x03\x04 a zip file"), "not a .npy file");
  EXPECT_ERROR(parse("\x93NUMPY\x01"), "ends in its preamble");
  EXPECT_ERROR(parse("\x93NUMPY\x02\0abc"s), "ends in its preamble");
  EXPECT_ERROR(parse("\x93NUMPY\x04\0\0\0"s), "unknown version 4.0");
  EXPECT_ERROR(parse("\x93NUMPY\x01\0\xff\0{"s), "ends in its header");
  EXPECT_ERROR(parse("\x93NUMPY\x02\0\xff\xff\xff\xff"s), "claims 4294967295 bytes");
  EXPECT_ERROR(parse(npy(header_of("<f4", "(1, 2)"), data)), "elements of type '<f4'");
  EXPECT_ERROR(parse(npy(header_of(">i4", "(1, 2)"), data)), "big-endian");
  EXPECT_ERROR(parse(npy(header_of("|i4", "(1, 2)"), data)), "elements of type '|i4'");
  EXPECT_ERROR(parse(npy(header_of("<i3", "(1, 2)"), data)), "elements of type '<i3'");
  EXPECT_ERROR(parse(npy(header_of("|b1", "(1, 2)"), data)), "elements of type '|b1'");
  EXPECT_ERROR(parse(npy("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1, 2)}", data)), "structured");
  EXPECT_ERROR(parse(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2)}", data + data)), "Fortran order");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(2,)"), data)), "shape (2,)");
  EXPECT_ERROR(parse(npy(header_of("<i4", "()"), data)), "shape ()");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(1, 2, 1)"), data)), "shape (1, 2, 1)");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(1, 3)"), data)), "8 bytes of data where shape (1, 3) of '<i4' needs 12");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(1, 2)"), data + "x")), "9 bytes of data");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(16777217, 1)"), data)), "more than 2^24 elements");
  EXPECT_ERROR(parse(npy(header_of("<i8", "(4294967296, 4294967296)"), data)), "more than 2^24 elements");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(99999999999999999999, 1)"), data)), "header is broken");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(-1, 2)"), data)), "header is broken");
  EXPECT_ERROR(parse(npy(header_of("<i4", "(1, 2"), data)), "header is broken");
  EXPECT_ERROR(parse(npy("{'descr': '<i4'", data)), "header ends too early");
  EXPECT_ERROR(parse(npy("{'descr': '<i4', 'shape': (1, 2)}", data)), "lacks");
  EXPECT_ERROR(parse(npy("{'descr': '<i4', 'descr': '<i4'}", data)), "repeated key 'descr'");
  EXPECT_ERROR(parse(npy("{'extra': 1}", data)), "key 'extra'");
  EXPECT_ERROR(parse(npy("{'descr': '<i4\n', 'fortran_order': False, 'shape': (1, 2)}", data)), "'<i4?'");
  EXPECT_ERROR(parse(npy(header_of("<u8", "(1, 1)"), std::string(8, '\xff'))), "beyond 63 bits");
}

TEST(Npy, EveryTruncationIsAnError) {
  for (std::size_t length = 0; length < kGood.size(); ++length)
    EXPECT_THROW(parse_npy(std::string(kGood, 0, length), "f"), Error) << length;
}

// Run under the address sanitizer this also shows that nothing is read out of bounds.
TEST(Npy, AnyCorruptionIsReadOrRefused) {
  int refused = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    std::string bytes = kGood;
    const unsigned long long random = random_bits(13, i);
    for (unsigned change = 0; change <= i % 3; ++change)
      bytes[(random >> 20 * change & 0xfffff) % bytes.size()] = static_cast<char>(random_bits(14, 3 * i + change));
    try {
      const IntegerMatrix matrix = parse_npy(bytes, "f");
      ASSERT_EQ(matrix.values.size(), static_cast<std::size_t>(matrix.rows * matrix.columns));
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Npy, ReadsFiles) {
  const TemporaryFolder folder;
  write_text(folder / "ids.npy", kGood);
  EXPECT_EQ(read_npy((folder / "ids.npy").string()).values, (std::vector<std::int64_t>{1, -2, 3, 4, 5, 2147483647}));
  EXPECT_ERROR(read_npy((folder / "none.npy").string()), "none.npy: cannot be opened: No such file");
  EXPECT_ERROR(read_npy(folder.path().string()), "cannot be read: Is a directory");
}

}  // namespace
}  // namespace moetune
