#include "engine/csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/file.h"
#include "engine/random.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void expect_parse_error(std::string_view bytes, std::string_view message) {
  tests::expect_error<FileError>([&] { static_cast<void>(parse_csv(bytes, "t.csv")); }, {message});
}

TEST(Csv, Numbers_Are_The_Shortest_That_Read_Back) {
  EXPECT_EQ(csv_number(0.1), "0.1");
  EXPECT_EQ(csv_number(100), "100");
  EXPECT_EQ(csv_number(-0.0), "-0");
  EXPECT_EQ(csv_number(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(csv_number(kInfinity), "inf");
  EXPECT_EQ(csv_number(kNaN), "nan");
  EXPECT_EQ(csv_number(-kNaN), "nan") << "the sign of a NaN is an accident of the instruction that made it";
}

TEST(Csv, Numbers_Survive_The_File_Bit_For_Bit) {
  const RandomStream random(5, "test.csv");
  CsvTable table({"value"});
  std::vector<double> values = {0,         5e-324,    -1.7976931348623157e308, 0x1.fffffffffffffp-1022,
                                kInfinity, -kInfinity};
  for (std::uint64_t i = 0; i < 100; ++i)
    values.push_back(random.normal(i) * std::pow(10, 3.0 * static_cast<double>(i) - 150));
  for (const double value : values) table.add_row({csv_number(value)});
  const CsvTable read = parse_csv(table.to_string(), "t.csv");
  ASSERT_EQ(read.size(), static_cast<int>(values.size()));
  for (int i = 0; i < read.size(); ++i)
    EXPECT_EQ(read.number(i, "value"), values[static_cast<std::size_t>(i)]);
}

TEST(Csv, Quotes_Only_What_Must_Be_Quoted) {
  CsvTable table({"a", "b"});
  table.add_row({"plain text", "1,2"});
  table.add_row({"say \"x\"", "two\nlines"});
  table.add_row({"", "Grüße"});
  EXPECT_EQ(table.to_string(), "a,b\nplain text,\"1,2\"\n\"say \"\"x\"\"\",\"two\nlines\"\n,Grüße\n");
}

TEST(Csv, Reads_Back_What_It_Wrote) {
  CsvTable table({"run", "note, with comma"});
  const std::vector<std::string> notes = {"", "\"", "\"\"", ",", "\n", "\r\n", "a\"b,c\nd", "  spaces  "};
  for (std::size_t i = 0; i < notes.size(); ++i) table.add_row({std::to_string(i), notes[i]});
  const CsvTable read = parse_csv(table.to_string(), "t.csv");
  ASSERT_EQ(read.size(), static_cast<int>(notes.size()));
  for (int i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read.text(i, "note, with comma"), notes[static_cast<std::size_t>(i)]);
    EXPECT_EQ(read.integer(i, "run"), static_cast<std::uint64_t>(i));
  }
  EXPECT_EQ(read.to_string(), table.to_string());
}

TEST(Csv, A_Single_Empty_Field_Is_Not_An_Empty_Line) {
  CsvTable table({"only"});
  table.add_row({""});
  EXPECT_EQ(parse_csv(table.to_string(), "t.csv").size(), 1);
}

TEST(Csv, Reads_Line_Ends_Of_Both_Kinds) {
  const CsvTable table = parse_csv("a,b\r\n1,2\r\n3,4\n", "t.csv");
  EXPECT_EQ(table.text(0, "b"), "2");
  EXPECT_EQ(table.text(1, "b"), "4");
}

TEST(Csv, Names_Line_And_Column_Of_Broken_Files) {
  expect_parse_error("", "t.csv:1:1: the file is empty");
  expect_parse_error("a,b", "t.csv:1:4: the last line has no end");
  expect_parse_error("a,b\n1,0.2", "t.csv:2:6: the last line has no end");
  expect_parse_error("a,b\n1,2\n3\n", "t.csv:3: 1 fields; the header has 2");
  expect_parse_error("a,b\n\n", "t.csv:2: 1 fields; the header has 2");
  expect_parse_error("a,b\n1,2\"3\n", "t.csv:2:4: a quote inside");
  expect_parse_error("a,b\n\"1\"x,2\n", "t.csv:2:4: text after a closing quote");
  expect_parse_error("a,b\n1,\"2\n\n", "t.csv:4:1: the file ends inside quotes");
  expect_parse_error("a,b\r1,2\n", "t.csv:1:5: a carriage return");
  expect_parse_error("a,b,a\n", R"(t.csv:1: column "a" is there twice)");
}

TEST(Csv, Counts_Lines_Inside_Quotes) {
  expect_parse_error("a,b\n\"x\ny\",2\n3\n", "t.csv:4: 1 fields");
  const CsvTable table = parse_csv("a,b\n\"x\ny\",2\nz,bad\n", "t.csv");
  tests::expect_error<FileError>([&] { static_cast<void>(table.number(1, "b")); },
                                 {R"(t.csv:4: column "b" is "bad")"});
}

TEST(Csv, Refuses_Fields_That_Are_Not_The_Number_Wanted) {
  const CsvTable table = parse_csv("a,b\n1.5,\n0x1,-1\n1e999,+2\n 3,7 \n", "t.csv");
  const auto expect_number_error = [&](int row, const char* column, std::string_view message) {
    tests::expect_error<FileError>([&] { static_cast<void>(table.number(row, column)); }, {message});
  };
  EXPECT_EQ(table.number(0, "a"), 1.5);
  EXPECT_EQ(table.number(1, "b"), -1);
  expect_number_error(0, "b", R"(t.csv:2: column "b" is ""; expected a number)");
  expect_number_error(1, "a", R"("0x1")");
  expect_number_error(2, "a", R"("1e999")");
  expect_number_error(3, "a", R"(" 3")");
  expect_number_error(3, "b", R"("7 ")");
  expect_number_error(0, "c", R"(no column "c"; the columns are "a", "b")");
  tests::expect_error<FileError>([&] { static_cast<void>(table.integer(0, "a")); },
                                 {"expected a whole number"});
  tests::expect_error<FileError>([&] { static_cast<void>(table.integer(1, "b")); }, {R"("-1")"});
}

TEST(Csv, Errors_Stay_On_One_Line_When_The_File_Does_Not) {
  const CsvTable table = parse_csv("\"a\nb\"\n\"1\n2\"\n", "t.csv");
  tests::expect_error<FileError>([&] { static_cast<void>(table.number(0, "a\nb")); },
                                 {R"("a\nb" is "1\n2")"});
  tests::expect_error<FileError>([&] { table.expect_header({"x\ny"}); }, {R"(are "a\nb"; expected "x\ny")"});
}

TEST(Csv, Compares_Headers_Whole) {
  const CsvTable table = parse_csv("a,b\n", "t.csv");
  EXPECT_NO_THROW(table.expect_header({"a", "b"}));
  tests::expect_error<FileError>(
      [&] {
        table.expect_header({"a", "c"});
      },
      {R"(t.csv:1: the columns are "a", "b"; expected "a", "c")"});
}

TEST(Csv, Refuses_Rows_Of_Another_Length) {
  CsvTable table({"a", "b"});
  EXPECT_THROW(table.add_row({"1"}), Error);
  EXPECT_THROW(static_cast<void>(table.text(0, "a")), Error);
  EXPECT_THROW(CsvTable(std::vector<std::string>{}), Error);
  EXPECT_EQ(table.size(), 0);
}

TEST(Csv, Goes_Through_A_File) {
  const tests::TempDir directory;
  CsvTable table({"a"});
  table.add_row({"1"});
  table.write(directory / "t.csv");
  EXPECT_EQ(read_file(directory / "t.csv"), "a\n1\n");
  EXPECT_EQ(read_csv(directory / "t.csv").number(0, "a"), 1);
  tests::expect_error<FileError>([&] { static_cast<void>(read_csv(directory / "none.csv")); }, {"none.csv"});
}

}  // namespace
}  // namespace gnc
