#include "data/npy.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>

#include "base/error.h"

namespace moetune {
namespace {

constexpr std::size_t kMaxHeader = 10'000;  // what NumPy itself accepts
constexpr std::int64_t kMaxElements = std::int64_t{1} << 24;
constexpr std::size_t kMaxFile = 12 + kMaxHeader + 8 * static_cast<std::size_t>(kMaxElements);

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::string_view kExpected =
    "expected a 2-D integer array in C order, as np.save(path, ids.astype('int32')) writes";

[[noreturn]] void fail(std::string_view origin, std::string_view found) {
  throw Error(fmt::format("{}: {}: {}", origin, found, kExpected));
}

/// What a file's words may look like in a message: short, on one line.
std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40)) shown += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > 40 ? shown + "..." : shown;
}

struct Header {
  std::string dtype;  ///< "<i4"
  bool column_major = false;
  std::vector<std::int64_t> shape;
};

/// The header is a Python dictionary: {'descr': '<i4', 'fortran_order': False, 'shape': (3, 2), }
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string_view origin) : rest_(text), origin_(origin) {}

  Header read() {
    Header header;
    bool has_dtype = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = read_string();
      expect(':');
      if (key == "descr" && !has_dtype) {
        if (peek() == '[') fail(origin_, "a structured dtype");
        header.dtype = read_string();
        has_dtype = true;
      } else if (key == "fortran_order" && !has_order) {
        header.column_major = read_bool();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = read_shape();
        has_shape = true;
      } else {
        fail(origin_, fmt::format("the .npy header has an unexpected or repeated key '{}'", printable(key)));
      }
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skip_blanks();
    if (!rest_.empty()) broken();
    if (!has_dtype || !has_order || !has_shape) fail(origin_, "the .npy header lacks descr, fortran_order or shape");
    return header;
  }

 private:
  [[noreturn]] void broken() const {
    fail(origin_, rest_.empty() ? "the .npy header ends too early"
                                : fmt::format("the .npy header is broken at '{}'", printable(rest_)));
  }

  void skip_blanks() {
    const auto first = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }

  char peek() {
    skip_blanks();
    return rest_.empty() ? '\0' : rest_.front();
  }

  bool accept(char c) {
    if (rest_.empty() || peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) broken();
  }

  std::string read_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') broken();
    const auto end = rest_.find(quote, 1);
    if (end == std::string_view::npos) broken();
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  bool read_bool() {
    skip_blanks();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (rest_.starts_with(word)) {
        rest_.remove_prefix(word.size());
        return value;
      }
    }
    broken();
  }

  std::vector<std::int64_t> read_shape() {
    std::vector<std::int64_t> shape;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      std::int64_t size = 0;
      const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc{} || size < 0 || shape.size() == 8) broken();
      rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
      shape.push_back(size);
      if (accept(',')) continue;
      expect(')');
      break;
    }
    return shape;
  }

  std::string_view rest_;
  std::string_view origin_;
};

struct ElementType {
  bool is_signed = true;
  std::size_t bytes = 4;
};

ElementType parse_element_type(const std::string& dtype, std::string_view origin) {
  const bool known = dtype.size() == 3 && (dtype[1] == 'i' || dtype[1] == 'u') &&
                     (dtype[2] == '1' || dtype[2] == '2' || dtype[2] == '4' || dtype[2] == '8');
  if (!known) fail(origin, fmt::format("elements of type '{}'", printable(dtype)));
  const ElementType type{.is_signed = dtype[1] == 'i', .bytes = static_cast<std::size_t>(dtype[2] - '0')};
  if (dtype[0] == '>') fail(origin, fmt::format("big-endian elements ('{}')", dtype));
  if (dtype[0] != '<' && !(dtype[0] == '|' && type.bytes == 1))
    fail(origin, fmt::format("elements of type '{}'", printable(dtype)));
  return type;
}

std::uint64_t read_little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string describe(const std::vector<std::int64_t>& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

}  // namespace

IntegerMatrix parse_npy(std::string_view bytes, std::string_view origin) {
  if (!bytes.starts_with(kMagic)) fail(origin, "not a .npy file");
  if (bytes.size() < 10) fail(origin, "the .npy file ends in its preamble");
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != 0)
    fail(origin, fmt::format("a .npy file of unknown version {}.{}", version, static_cast<unsigned char>(bytes[7])));
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t header_begin = 8 + length_bytes;
  if (bytes.size() < header_begin) fail(origin, "the .npy file ends in its preamble");
  const std::uint64_t header_bytes = read_little_endian(bytes.substr(8, length_bytes));
  if (header_bytes > kMaxHeader)
    fail(origin, fmt::format("the .npy header claims {} bytes, more than {}", header_bytes, kMaxHeader));
  if (bytes.size() - header_begin < header_bytes) fail(origin, "the .npy file ends in its header");

  const Header header = HeaderReader(bytes.substr(header_begin, header_bytes), origin).read();
  const ElementType type = parse_element_type(header.dtype, origin);
  if (header.shape.size() != 2) fail(origin, fmt::format("an array of shape {}", describe(header.shape)));
  IntegerMatrix matrix{.rows = header.shape[0], .columns = header.shape[1], .values = {}};
  if (header.column_major && matrix.rows > 1 && matrix.columns > 1)
    fail(origin, "an array in Fortran order (np.ascontiguousarray mends it)");
  if (matrix.columns > 0 && matrix.rows > kMaxElements / matrix.columns)
    fail(origin, fmt::format("an array of shape {}, more than 2^24 elements", describe(header.shape)));

  const std::string_view data = bytes.substr(header_begin + header_bytes);
  const std::size_t count = static_cast<std::size_t>(matrix.rows * matrix.columns);
  if (data.size() != count * type.bytes)
    fail(origin, fmt::format("{} bytes of data where shape {} of '{}' needs {}", data.size(), describe(header.shape),
                             header.dtype, count * type.bytes));
  matrix.values.resize(count);
  const unsigned unused_bits = static_cast<unsigned>(64 - 8 * type.bytes);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t raw = read_little_endian(data.substr(i * type.bytes, type.bytes));
    if (!type.is_signed && raw > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      fail(origin, fmt::format("element {} is {}, beyond 63 bits", i, raw));
    matrix.values[i] =
        type.is_signed ? static_cast<std::int64_t>(raw << unused_bits) >> unused_bits : static_cast<std::int64_t>(raw);
  }
  return matrix;
}

IntegerMatrix read_npy(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw Error(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  std::string bytes;
  char piece[1 << 16];
  while (const std::size_t read = std::fread(piece, 1, sizeof piece, file.get())) {
    bytes.append(piece, read);
    if (bytes.size() > kMaxFile) fail(path, "a file of more than 2^24 elements");
  }
  if (std::ferror(file.get())) throw Error(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  return parse_npy(bytes, path);
}

}  // namespace moetune
