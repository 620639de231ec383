#include "base/gzip.h"

#include <zlib.h>

#include <array>
#include <stdexcept>

#include "base/error.h"

namespace moetune {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's largest window, in gzip's wrapping

/// Runs deflate or inflate over all of `input`; returns zlib's last word.
int pump(z_stream& stream, int (*step)(z_stream*, int), std::string_view input, std::string& output) {
  std::array<char, 1 << 16> buffer;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));  // zlib does not write there
  stream.avail_in = static_cast<uInt>(input.size());
  int state = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    state = step(&stream, Z_FINISH);
    output.append(buffer.data(), buffer.size() - stream.avail_out);
  } while ((state == Z_OK || state == Z_BUF_ERROR) && stream.avail_out == 0);
  return state;
}

}  // namespace

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindow, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib has no memory");
  std::string file;
  const int state = pump(stream, deflate, bytes, file);
  deflateEnd(&stream);
  if (state != Z_STREAM_END) throw std::runtime_error("zlib did not compress");
  return file;
}

std::string gunzip(std::string_view file) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::runtime_error("zlib has no memory");
  std::string bytes;
  const int state = pump(stream, inflate, file, bytes);
  const std::string reason = stream.msg != nullptr ? stream.msg : "it is cut short";
  inflateEnd(&stream);
  if (state != Z_STREAM_END) throw Error("cannot be decompressed: " + reason);
  return bytes;
}

bool is_gzip(std::string_view file) {
  return file.starts_with("\x1f\x8b");
}

}  // namespace moetune
