#include "models/npy.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/error.h"

namespace gnc {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie");

constexpr std::string_view kMagic = "\x93NUMPY";

/// The header's dictionary.
struct Header {
  std::string descr;
  bool is_fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads the Python literal that is the header: {'descr': '<f8', 'fortran_order': False, 'shape': (6, 10), }.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Header read() {
    Header header;
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = read_string();
      expect(':');
      if (key == "descr" && !has_descr) {
        header.descr = read_string();
        has_descr = true;
      } else if (key == "fortran_order" && !has_order) {
        header.is_fortran_order = read_bool();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = read_tuple();
        has_shape = true;
      } else {
        fail(fmt::format("unexpected key '{}'", key));
      }
      if (accept('}')) break;
      expect(',');
    }
    skip_blanks();
    if (position_ != text_.size()) fail("something follows the dictionary");
    if (!has_descr || !has_order || !has_shape) fail("'descr', 'fortran_order' or 'shape' is missing");
    return header;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw FileError(fmt::format("{}: the .npy header is malformed at byte {}: {}", name_, position_, what));
  }
  void skip_blanks() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  bool accept(char c) {
    skip_blanks();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected '{}'", c));
  }
  std::string read_string() {
    const char quote = accept('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, position_);
    if (end == std::string_view::npos || end - position_ > 32) fail("expected a short string");
    const std::string value(text_.substr(position_, end - position_));
    for (const char c : value) {
      if (c < ' ' || c > '~' || c == '\\') fail("a string holds an odd character");
    }
    position_ = end + 1;
    return value;
  }
  bool read_bool() {
    skip_blanks();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      return word == "True";
    }
    fail("expected True or False");
  }
  std::vector<std::int64_t> read_tuple() {
    std::vector<std::int64_t> values;
    expect('(');
    while (!accept(')')) {
      values.push_back(read_extent());
      if (accept(')')) break;
      expect(',');
      if (values.size() > 32) fail("too many dimensions");
    }
    return values;
  }
  std::int64_t read_extent() {
    skip_blanks();
    const std::size_t start = position_;
    std::int64_t value = 0;
    while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
      value = 10 * value + (text_[position_++] - '0');
      // Small enough that no product of two of them overflows.
      if (value > 1'000'000'000) fail("an extent is absurdly large");
    }
    if (position_ == start) fail("expected an extent");
    return value;
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t position_ = 0;
};

template <class Number>
Number number_at(std::string_view bytes, std::size_t offset) {
  Number value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class Number>
Eigen::MatrixXd copy_numbers(std::string_view bytes, const Header& header) {
  Eigen::MatrixXd matrix(header.shape[0], header.shape[1]);
  const Eigen::Index rows = matrix.rows(), columns = matrix.cols();
  for (Eigen::Index j = 0; j < columns; ++j) {
    for (Eigen::Index i = 0; i < rows; ++i) {
      const Eigen::Index position = header.is_fortran_order ? j * rows + i : i * columns + j;
      matrix(i, j) =
          static_cast<double>(number_at<Number>(bytes, static_cast<std::size_t>(position) * sizeof(Number)));
    }
  }
  return matrix;
}

}  // namespace

Eigen::MatrixXd parse_npy(std::string_view bytes, std::string_view name) {
  require<FileError>(bytes.substr(0, kMagic.size()) == kMagic,
                     "{}: not a .npy file (it does not begin with \\x93NUMPY)", name);
  require<FileError>(bytes.size() >= 12, "{}: truncated .npy file of {} bytes", name, bytes.size());
  const int major = static_cast<unsigned char>(bytes[6]), minor = static_cast<unsigned char>(bytes[7]);
  require<FileError>(major >= 1 && major <= 3 && minor == 0, "{}: unknown .npy version {}.{}", name, major,
                     minor);
  const std::size_t start = major == 1 ? 10 : 12;
  const std::size_t length =
      major == 1 ? number_at<std::uint16_t>(bytes, 8) : number_at<std::uint32_t>(bytes, 8);
  require<FileError>(length <= bytes.size() - start,
                     "{}: truncated .npy file: a header of {} bytes in a file of {}", name, length,
                     bytes.size());
  const Header header = HeaderReader(bytes.substr(start, length), name).read();
  require<FileError>(header.descr == "<f4" || header.descr == "<f8",
                     "{}: numbers of type '{}', expected '<f4' or '<f8' (float32 or float64)", name,
                     header.descr);
  require<FileError>(header.shape.size() == 2 && header.shape[0] > 0 && header.shape[1] > 0,
                     "{}: shape ({}), expected a matrix of d rows and C columns", name,
                     fmt::join(header.shape, ", "));
  const std::string_view numbers = bytes.substr(start + length);
  const std::uint64_t size = header.descr == "<f4" ? 4 : 8;
  const std::uint64_t expected =
      static_cast<std::uint64_t>(header.shape[0]) * static_cast<std::uint64_t>(header.shape[1]) * size;
  require<FileError>(numbers.size() == expected, "{}: {} bytes of numbers, but shape ({}) of '{}' takes {}",
                     name, numbers.size(), fmt::join(header.shape, ", "), header.descr, expected);
  return size == 4 ? copy_numbers<float>(numbers, header) : copy_numbers<double>(numbers, header);
}

std::string format_npy(const Eigen::MatrixXd& matrix) {
  std::string header = fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {}), }}",
                                   matrix.rows(), matrix.cols());
  // The numbers begin at a multiple of 64 bytes; the header ends in a newline.
  const std::size_t before = 10 + header.size() + 1;
  header.append((64 - before % 64) % 64, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += '\x01';
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = matrix;
  bytes.append(reinterpret_cast<const char*>(rows.data()),
               static_cast<std::size_t>(rows.size()) * sizeof(double));
  return bytes;
}

}  // namespace gnc
