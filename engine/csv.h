#pragma once
/// Comma-separated values (RFC 4180): written so that equal runs give equal bytes, read back strictly.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gnc {

class KnownFolder;

/// The shortest decimal number that reads back as the same double: "0.1", "1e-05", "100". NaN of either sign
/// is "nan".
std::string csv_number(double value);

/// A header and rows of as many fields each. Lines end with "\n" (RFC 4180 has "\r\n", which is read as
/// well).
class CsvTable {
 public:
  CsvTable() = default;
  /// Throws FileError for no columns, and naming a column that is there twice.
  explicit CsvTable(std::vector<std::string> header) : CsvTable(std::move(header), "CSV table") {}

  const std::vector<std::string>& header() const { return header_; }
  int size() const { return static_cast<int>(rows_.size()); }

  /// Throws Error unless there are as many fields as columns.
  void add_row(std::vector<std::string> fields);

  /// All fields of a row.
  const std::vector<std::string>& row(int row) const { return rows_.at(static_cast<std::size_t>(row)); }
  /// A field by row and column name. Throws Error for a column that is not there.
  const std::string& text(int row, std::string_view column) const;
  /// The field as a number; "nan" and "inf" are numbers. Throws FileError naming file, line, column and the
  /// text.
  double number(int row, std::string_view column) const;
  /// The field as an integer without sign. Throws as `number` does.
  std::uint64_t integer(int row, std::string_view column) const;

  /// Throws FileError naming the file and both headers unless the header is exactly `expected`.
  void expect_header(const std::vector<std::string>& expected) const;

  /// The file's bytes. A field is quoted only where it must be: for a comma, a quote or a line break in it.
  std::string to_string() const;
  /// Writes the file whole or not at all, in `folder` as write_atomically() has it.
  void write(const std::filesystem::path& path, const KnownFolder* folder = nullptr) const;

 private:
  friend CsvTable parse_csv(std::string_view, std::string_view);
  CsvTable(std::vector<std::string> header, std::string_view name);
  std::size_t index_of(std::string_view column) const;
  template <class Number>
  Number parse(int row, std::string_view column, std::string_view expected) const;

  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<int> lines_;  // where each row starts; empty for a table that was not read
  std::string name_;        // what errors call it: the file it was read from
};

/// Parses a file's bytes; `name` is what errors call it. Throws FileError naming file, line and column (both
/// from 1, the column in bytes) for an empty file, a row of another length than the header, text after a
/// closing quote, a quote inside a plain field, an open quote, or a last line without its end, which is how a
/// file that was cut off looks.
CsvTable parse_csv(std::string_view bytes, std::string_view name);

/// Reads and parses a file.
CsvTable read_csv(const std::filesystem::path& path);

}  // namespace gnc
