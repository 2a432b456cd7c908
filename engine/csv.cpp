#include "engine/csv.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

void append_field(std::string& line, std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += field;
    return;
  }
  line += '"';
  for (const char character : field) {
    if (character == '"') line += '"';
    line += character;
  }
  line += '"';
}

void append_row(std::string& text, const std::vector<std::string>& fields) {
  // A row that is one empty field would be an empty line, which cannot be told from no row.
  if (fields.size() == 1 && fields[0].empty()) {
    text += "\"\"\n";
    return;
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) text += ',';
    append_field(text, fields[i]);
  }
  text += '\n';
}

/// Reads rows one by one, and knows where it is.
class CsvParser {
 public:
  CsvParser(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  bool is_at_end() const { return position_ == bytes_.size(); }
  int line() const { return line_; }

  std::vector<std::string> row() {
    std::vector<std::string> fields;
    do {
      fields.push_back(peek() == '"' ? quoted_field() : plain_field());
    } while (take(','));
    if (is_at_end()) fail("the last line has no end: the file was cut off");
    if (take('\r') && peek() != '\n') fail("a carriage return without a line feed");
    if (!take('\n')) fail("text after a closing quote; expected a comma or the end of the line");
    return fields;
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw FileError(fmt::format("{}:{}:{}: {}", name_, line_, position_ - line_start_ + 1, what));
  }

 private:
  char peek() const { return is_at_end() ? '\0' : bytes_[position_]; }

  bool take(char character) {
    if (is_at_end() || bytes_[position_] != character) return false;
    ++position_;
    if (character == '\n') {
      ++line_;
      line_start_ = position_;
    }
    return true;
  }

  std::string plain_field() {
    std::string field;
    while (!is_at_end() && peek() != ',' && peek() != '\r' && peek() != '\n') {
      if (peek() == '"') fail("a quote inside a field that does not start with one");
      field += bytes_[position_++];
    }
    return field;
  }

  std::string quoted_field() {
    std::string field;
    take('"');
    for (;;) {
      if (is_at_end()) fail("the file ends inside quotes");
      if (take('"')) {
        if (!take('"')) return field;
        field += '"';
      } else {
        const char character = peek();
        take(character);
        field += character;
      }
    }
  }

  std::string_view bytes_;
  std::string_view name_;
  std::size_t position_ = 0;
  std::size_t line_start_ = 0;
  int line_ = 1;
};

}  // namespace

std::string csv_number(double value) {
  // 0/0 has the sign bit set on x86 and would print as "-nan".
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

CsvTable::CsvTable(std::vector<std::string> header, std::string_view name)
    : header_(std::move(header)), name_(name) {
  require<FileError>(!header_.empty(), "{}:1: no columns", name_);
  for (auto column = header_.begin(); column != header_.end(); ++column) {
    require<FileError>(std::find(header_.begin(), column, *column) == column,
                       "{}:1: column {:?} is there twice", name_, *column);
  }
}

void CsvTable::add_row(std::vector<std::string> fields) {
  require(fields.size() == header_.size(), "{}: a row of {} fields; the header has {}", name_, fields.size(),
          header_.size());
  rows_.push_back(std::move(fields));
}

std::size_t CsvTable::index_of(std::string_view column) const {
  const auto found = std::find(header_.begin(), header_.end(), column);
  require<FileError>(found != header_.end(), "{}: no column {:?}; the columns are {:?}", name_, column,
                     fmt::join(header_, ", "));
  return static_cast<std::size_t>(found - header_.begin());
}

const std::string& CsvTable::text(int row, std::string_view column) const {
  require(row >= 0 && row < size(), "{}: row {} of {}", name_, row, size());
  return rows_[static_cast<std::size_t>(row)][index_of(column)];
}

template <class Number>
Number CsvTable::parse(int row, std::string_view column, std::string_view expected) const {
  const std::string& field = text(row, column);
  Number value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  const int line = lines_.empty() ? row + 2 : lines_[static_cast<std::size_t>(row)];
  require<FileError>(error == std::errc{} && end == field.data() + field.size(),
                     "{}:{}: column {:?} is {:?}; expected {}", name_, line, column, field, expected);
  return value;
}

double CsvTable::number(int row, std::string_view column) const {
  return parse<double>(row, column, "a number");
}

std::uint64_t CsvTable::integer(int row, std::string_view column) const {
  return parse<std::uint64_t>(row, column, "a whole number of 0 or more");
}

void CsvTable::expect_header(const std::vector<std::string>& expected) const {
  require<FileError>(header_ == expected, "{}:1: the columns are {:?}; expected {:?}", name_,
                     fmt::join(header_, ", "), fmt::join(expected, ", "));
}

std::string CsvTable::to_string() const {
  std::string text;
  append_row(text, header_);
  for (const std::vector<std::string>& row : rows_) append_row(text, row);
  return text;
}

void CsvTable::write(const std::filesystem::path& path, const KnownFolder* folder) const {
  write_atomically(path, to_string(), folder);
}

CsvTable parse_csv(std::string_view bytes, std::string_view name) {
  CsvParser parser(bytes, name);
  if (parser.is_at_end()) parser.fail("the file is empty; expected a line of column names");
  CsvTable table(parser.row(), name);
  while (!parser.is_at_end()) {
    const int line = parser.line();
    std::vector<std::string> fields = parser.row();
    require<FileError>(fields.size() == table.header_.size(), "{}:{}: {} fields; the header has {}", name,
                       line, fields.size(), table.header_.size());
    table.rows_.push_back(std::move(fields));
    table.lines_.push_back(line);
  }
  return table;
}

CsvTable read_csv(const std::filesystem::path& path) { return parse_csv(read_file(path), path.string()); }

}  // namespace gnc
