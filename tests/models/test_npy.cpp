/// .npy files, written here byte by byte, and files that lie.

#include "models/npy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;
using tests::expect_error;

template <class T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A .npy of any header, padded as NumPy pads it.
std::string npy(std::string header, const std::string& numbers, int major = 1) {
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  const std::size_t size = header.size();
  for (int byte = 0; byte < (major == 1 ? 2 : 4); ++byte)
    bytes += static_cast<char>((size >> (8 * byte)) & 0xff);
  return bytes + header + numbers;
}

const std::string kHeader23 = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
const std::vector<double> kSix = {1, 2, 3, 4, 5, 6};

MatrixXd expected23() {
  MatrixXd matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  return matrix;
}

TEST(Npy, Reads_Float64_In_C_Order) {
  EXPECT_EQ(parse_npy(npy(kHeader23, raw(kSix)), "a.npy"), expected23());
}

TEST(Npy, Reads_Float32_In_Fortran_Order) {
  const std::string header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
  const std::vector<float> columns = {1, 4, 2, 5, 3, 6};
  EXPECT_EQ(parse_npy(npy(header, raw(columns)), "a.npy"), expected23());
}

TEST(Npy, Reads_The_Bytes_That_NumPy_Writes) {
  // numpy.save of numpy.array([[1.5, -2.0]], dtype='<f4'), byte for byte.
  std::string bytes("\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }",
                    10 + 59);
  bytes += std::string(128 - 1 - bytes.size(), ' ') + "\n";
  bytes += std::string("\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8);
  MatrixXd expected(1, 2);
  expected << 1.5, -2.0;
  EXPECT_EQ(parse_npy(bytes, "a.npy"), expected);
}

TEST(Npy, Reads_Versions_Two_And_Three_And_Keys_In_Any_Order) {
  const std::string header = "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f8\"}";
  EXPECT_EQ(parse_npy(npy(header, raw(kSix), 2), "a.npy"), expected23());
  EXPECT_EQ(parse_npy(npy(header, raw(kSix), 3), "a.npy"), expected23());
}

TEST(Npy, Comes_Back_As_It_Was_Written) {
  const MatrixXd matrix = MatrixXd::Random(7, 33);
  const std::string bytes = format_npy(matrix);
  EXPECT_EQ(parse_npy(bytes, "a.npy"), matrix);
  EXPECT_EQ((bytes.size() - 7 * 33 * sizeof(double)) % 64, 0u);  // numbers are aligned, as NumPy wants
}

TEST(Npy, Refuses_What_Is_Not_One) {
  expect_error<FileError>([] { parse_npy("", "a.npy"); }, {"a.npy", "not a .npy file"});
  expect_error<FileError>([] { parse_npy("PK\x03\x04 something", "a.npy"); }, {"not a .npy file"});
  expect_error<FileError>([] { parse_npy("\x93NUMPY\x01", "a.npy"); }, {"truncated"});
  expect_error<FileError>([] { parse_npy(npy(kHeader23, raw(kSix), 4), "a.npy"); }, {"version 4.0"});
}

TEST(Npy, Refuses_Sizes_That_Do_Not_Fit_The_File) {
  const std::string whole = npy(kHeader23, raw(kSix));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(parse_npy(whole.substr(0, size), "a.npy"), FileError) << "cut to " << size << " bytes";
  }
  expect_error<FileError>([&] { parse_npy(whole + "x", "a.npy"); }, {"49 bytes", "(2, 3)", "takes 48"});
  // A header said to be 4 GB long, and a shape of 8 EB: no memory may be asked for.
  std::string huge = npy(kHeader23, raw(kSix), 2);
  huge.replace(8, 4, "\xff\xff\xff\xff");
  expect_error<FileError>([&] { parse_npy(huge, "a.npy"); }, {"truncated", "4294967295"});
  const std::string wide = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }";
  expect_error<FileError>([&] { parse_npy(npy(wide, ""), "a.npy"); },
                          {"0 bytes", "takes 8000000000000000000"});
  const std::string endless =
      "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 2), }";
  expect_error<FileError>([&] { parse_npy(npy(endless, ""), "a.npy"); }, {"absurdly large"});
}

TEST(Npy, Refuses_Other_Numbers_And_Shapes) {
  for (const char* descr : {">f8", "<i8", "|b1", "<f2", "<c16", "|O"}) {
    const std::string header =
        fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (2, 3), }}", descr);
    expect_error<FileError>([&] { parse_npy(npy(header, raw(kSix)), "a.npy"); },
                            {descr, "float32 or float64"});
  }
  for (const char* shape : {"()", "(6,)", "(1, 2, 3)", "(0, 3)", "(2, 0)"}) {
    const std::string header =
        fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': {}, }}", shape);
    expect_error<FileError>([&] { parse_npy(npy(header, raw(kSix)), "a.npy"); },
                            {"shape", "d rows and C columns"});
  }
}

TEST(Npy, Refuses_Malformed_Headers) {
  for (const char* header : {
           "",
           "{",
           "{}",
           "{'descr': '<f8', 'fortran_order': False}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
           "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 3)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2, -3)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2 3)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)} + 1",
           "{'descr': '<f8, 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2, 3)}",
       }) {
    expect_error<FileError>([&] { parse_npy(npy(header, raw(kSix)), "a.npy"); }, {"a.npy", "malformed"});
  }
}

}  // namespace
}  // namespace gnc
