#include "engine/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "engine/file.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <class T>
HostTensor tensor_of(const Shape& shape, const std::vector<T>& values) {
  HostTensor tensor(TensorSpec{.shape = shape, .dtype = kDTypeOf<T>});
  EXPECT_EQ(tensor.values<T>().size(), values.size());
  std::copy(values.begin(), values.end(), tensor.values<T>().begin());
  return tensor;
}

bool same_bytes(const HostTensor& a, const HostTensor& b) {
  return a.spec() == b.spec() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// A file as the format's description has it: length, header, data.
std::string file_of(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes.append(header).append(data);
}

std::vector<NamedTensor> small_network() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  return {{"features.0.weight", tensor_of<float>({2, 1, 1, 3}, {1.5f, -0.0f, nan, 1e-40f, 3e38f, 0.1f})},
          {"features.0.bias", tensor_of<float>({2}, {-1.0f, 2.0f})},
          {"step", tensor_of<std::int32_t>({1}, {-7})}};
}

class Checkpoint : public ::testing::Test {
 protected:
  /// What loading a file of these bytes says.
  std::string complaint_about(std::string_view bytes) {
    // Not write_atomically: thousands of files need no fsync.
    std::ofstream(path_, std::ios::binary) << bytes;
    try {
      load_safetensors(path_);
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), StartsWith(path_.string() + ": "));
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
      return error.what();
    }
    return "";
  }
  std::string complaint_about(std::string_view header, std::string_view data) {
    return complaint_about(file_of(header, data));
  }

  tests::TempDir folder_;
  std::filesystem::path path_ = folder_ / "checkpoint.safetensors";
};

TEST_F(Checkpoint, WhatWasSaved_ComesBackBitForBit) {
  const std::vector<NamedTensor> tensors = small_network();
  const std::map<std::string, std::string> metadata = {{"epoch", "3"}, {"näme", "\"quoted\"\n"}, {"", ""}};
  save_safetensors(path_, tensors, metadata);
  const Safetensors loaded = load_safetensors(path_);
  EXPECT_EQ(loaded.metadata, metadata);
  ASSERT_EQ(loaded.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(loaded.tensors[i].name, tensors[i].name);
    EXPECT_TRUE(same_bytes(loaded.tensors[i].tensor, tensors[i].tensor)) << tensors[i].name;
  }
}

TEST_F(Checkpoint, EveryRankAndDtype_ComesBack) {
  const std::vector<NamedTensor> tensors = {{"d", tensor_of<double>({2, 1}, {0.1, -1e300})},
                                            {"scalar", tensor_of<float>(Shape{}, {4.0f})},
                                            {"none", tensor_of<float>({0, 5}, {})},
                                            {"cube", tensor_of<float>({1, 2, 2}, {1, 2, 3, 4})},
                                            {"i", tensor_of<std::int32_t>({2}, {-1, 1 << 30})},
                                            {"u", tensor_of<std::uint8_t>({3}, {0, 127, 255})}};
  save_safetensors(path_, tensors, {});
  const Safetensors loaded = load_safetensors(path_);
  ASSERT_EQ(loaded.tensors.size(), tensors.size());
  for (const NamedTensor& expected : tensors) {
    const auto found = std::find_if(loaded.tensors.begin(), loaded.tensors.end(),
                                    [&](const NamedTensor& t) { return t.name == expected.name; });
    ASSERT_NE(found, loaded.tensors.end()) << expected.name;
    EXPECT_TRUE(same_bytes(found->tensor, expected.tensor)) << expected.name;
  }
}

TEST_F(Checkpoint, NoTensors_IsAFileToo) {
  save_safetensors(path_, {}, {{"a", "b"}});
  const Safetensors loaded = load_safetensors(path_);
  EXPECT_TRUE(loaded.tensors.empty());
  EXPECT_EQ(loaded.metadata.at("a"), "b");
}

TEST_F(Checkpoint, Saved_IsByteForByteWhatTheFormatSays) {
  save_safetensors(path_,
                   {{"b", tensor_of<std::uint8_t>({3}, {1, 2, 3})}, {"a", tensor_of<float>({1, 2}, {1, -2})}},
                   {{"epoch", "3"}});
  // The wider element type comes first, the header is padded to a multiple of 8. The checksum is
  // Python's zlib.crc32 of the header without the checksum and the data.
  std::string header = R"({"__metadata__":{"epoch":"3","gnc.crc32":"9293e337","gnc.format":"1"},)"
                       R"("a":{"data_offsets":[0,8],"dtype":"F32","shape":[1,2]},)"
                       R"("b":{"data_offsets":[8,11],"dtype":"U8","shape":[3]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string_view data("\x00\x00\x80\x3f\x00\x00\x00\xc0\x01\x02\x03", 11);
  EXPECT_EQ(read_file(path_), file_of(header, data));
}

TEST_F(Checkpoint, FileOfAnotherProgram_IsRead) {
  // Written by hand: spaces, another order than that of the bytes, metadata of others, an empty tensor.
  write_atomically(path_, file_of(R"({"z": {"shape": [2], "dtype": "F32", "data_offsets": [4, 12]},
    "empty": {"dtype": "F64", "shape": [3, 0], "data_offsets": [4, 4]},
    "a": {"dtype": "U8", "shape": [2, 2], "data_offsets": [0, 4]}, "__metadata__": {"format": "pt"}}  )",
                                  std::string_view("\x01\x02\x03\x04\x00\x00\x80\x3f\x00\x00\x00\xc0", 12)));
  const Safetensors loaded = load_safetensors(path_);
  ASSERT_EQ(loaded.tensors.size(), 3u);
  EXPECT_EQ(loaded.tensors[0].name, "a");
  EXPECT_TRUE(same_bytes(loaded.tensors[0].tensor, tensor_of<std::uint8_t>({2, 2}, {1, 2, 3, 4})));
  EXPECT_EQ(loaded.tensors[1].name, "empty");
  EXPECT_EQ(loaded.tensors[1].tensor.shape(), (Shape{3, 0}));
  EXPECT_EQ(loaded.tensors[2].name, "z");
  EXPECT_TRUE(same_bytes(loaded.tensors[2].tensor, tensor_of<float>({2}, {1, -2})));
  EXPECT_EQ(loaded.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
}

TEST_F(Checkpoint, HalfPrecision_ComesAsFp32) {
  // 1, -2, 65504 (the largest), 2^-24 (the smallest), 1023·2^-24 (the largest subnormal), -inf, NaN, -0;
  // numpy.array([...], numpy.float16).view(numpy.uint16).
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0xfc00, 0x7e00, 0x8000};
  const std::vector<std::uint16_t> brains = {0x3f80, 0xc000, 0x7f7f, 0x0001, 0xff80};
  std::string data(26, '\0');
  std::memcpy(data.data(), halves.data(), 16);
  std::memcpy(data.data() + 16, brains.data(), 10);
  write_atomically(path_, file_of(R"({"half":{"dtype":"F16","shape":[8],"data_offsets":[0,16]},)"
                                  R"("brain":{"dtype":"BF16","shape":[5],"data_offsets":[16,26]}})",
                                  data));
  const Safetensors loaded = load_safetensors(path_);
  ASSERT_EQ(loaded.tensors.size(), 2u);
  const auto half = loaded.tensors[0].tensor.values<float>(),
             brain = loaded.tensors[1].tensor.values<float>();
  ASSERT_EQ(half.size(), 8u);
  EXPECT_EQ(half[0], 1.0f);
  EXPECT_EQ(half[1], -2.0f);
  EXPECT_EQ(half[2], 65504.0f);
  EXPECT_EQ(half[3], 0x1p-24f);
  EXPECT_EQ(half[4], 1023 * 0x1p-24f);
  EXPECT_EQ(half[5], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(half[6]));
  EXPECT_TRUE(half[7] == 0 && std::signbit(half[7]));
  ASSERT_EQ(brain.size(), 5u);
  EXPECT_EQ(brain[0], 1.0f);
  EXPECT_EQ(brain[1], -2.0f);
  EXPECT_EQ(brain[2], 0x1.fep127f);
  EXPECT_EQ(brain[3], 0x1p-133f);
  EXPECT_EQ(brain[4], -std::numeric_limits<float>::infinity());
}

TEST_F(Checkpoint, WideIntegers_AreReadAndWritten) {
  save_safetensors(
      path_,
      {{"w", tensor_of<float>({1}, {1})}, {"steps", tensor_of<std::int32_t>(Shape{}, {-3}), StoredAs::kI64}},
      {});
  const std::string bytes = read_file(path_);
  EXPECT_THAT(bytes, HasSubstr(R"("steps":{"data_offsets":[0,8],"dtype":"I64","shape":[]})"));
  EXPECT_EQ(bytes.substr(bytes.size() - 12, 8), std::string("\xfd") + std::string(7, '\xff'));
  const Safetensors loaded = load_safetensors(path_);
  EXPECT_EQ(loaded.tensors[0].tensor.values<std::int32_t>()[0], -3);
  save_safetensors(folder_ / "again", loaded.tensors, loaded.metadata);
  EXPECT_EQ(read_file(folder_ / "again"), bytes);
  const std::string_view wide("\x00\x00\x00\x80\x00\x00\x00\x00", 8);
  EXPECT_THAT(complaint_about(R"({"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})", wide),
              AllOf(HasSubstr("\"n\""), HasSubstr("2147483648 of I64 does not fit")));
}

TEST_F(Checkpoint, EveryFlippedBit_IsFound) {
  save_safetensors(path_, {{"w", tensor_of<std::uint8_t>({1}, {7})}},
                   {});  // small, as there are thousands of files
  const std::string intact = read_file(path_);
  for (std::size_t byte = 0; byte < intact.size(); ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = intact;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << bit));
      EXPECT_NE(complaint_about(damaged), "") << "bit " << bit << " of byte " << byte;
    }
}

TEST_F(Checkpoint, EveryTruncationAndAnyAddition_IsFound) {
  save_safetensors(path_, {{"w", tensor_of<std::uint8_t>({1}, {7})}, {"x", tensor_of<float>({1}, {1})}}, {});
  const std::string intact = read_file(path_);
  for (std::size_t length = 0; length < intact.size(); ++length)
    EXPECT_NE(complaint_about(std::string_view(intact).substr(0, length)), "") << length << " bytes";
  EXPECT_NE(complaint_about(intact + '\0'), "");
}

TEST_F(Checkpoint, FlippedBitOfTheData_IsCalledDamage) {
  save_safetensors(path_, small_network(), {});
  std::string damaged = read_file(path_);
  damaged.back() = static_cast<char>(damaged.back() ^ 4);
  EXPECT_THAT(complaint_about(damaged), AllOf(HasSubstr("damaged"), HasSubstr("CRC-32")));
}

TEST_F(Checkpoint, LyingHeaderLength_IsRefused) {
  EXPECT_THAT(complaint_about("1234567"), HasSubstr("7 bytes are too few"));
  // As large as can be: 8 + length would wrap around.
  EXPECT_THAT(complaint_about(std::string(8, '\xff') + "{}"),
              AllOf(HasSubstr("18446744073709551615 bytes"), HasSubstr("10 in all")));
  EXPECT_THAT(complaint_about(std::string_view("\x03\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("said to have 3 bytes"));
  EXPECT_THAT(complaint_about(std::string(8, '\0')), HasSubstr("does not start with '{'"));
}

TEST_F(Checkpoint, HeaderThatIsNoHeader_IsRefused) {
  EXPECT_THAT(complaint_about("[]", ""), HasSubstr("does not start with '{'"));
  EXPECT_THAT(complaint_about(R"({"a")", ""), HasSubstr("not JSON: wrong at byte"));
  EXPECT_THAT(complaint_about(std::string_view("{}\0", 3), ""), HasSubstr("a NUL"));
  EXPECT_THAT(complaint_about("{\"\xff\": 1}", ""), HasSubstr("not JSON"));
  EXPECT_THAT(complaint_about(R"({"__metadata__": []})", ""), HasSubstr("__metadata__ is not an object"));
  EXPECT_THAT(complaint_about(R"({"__metadata__": {"k": 1}})", ""),
              HasSubstr("metadata \"k\" is not a string"));
  std::string deep = R"({"a":)" + std::string(100000, '[');
  EXPECT_THAT(complaint_about(deep, ""), HasSubstr("nests too deeply"));
  EXPECT_THAT(complaint_about(R"({"a":{"shape":[0,0,0,0,0,0,0]}})", ""), HasSubstr("more than 4 values"));
}

TEST_F(Checkpoint, NameThatComesTwice_IsRefused) {
  const std::string_view tensor = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(complaint_about(fmt::format(R"({{"a":{},"a":{}}})", tensor, tensor), ""),
              HasSubstr("\"a\" comes twice"));
  EXPECT_THAT(complaint_about(R"({"a":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}})", ""),
              HasSubstr("\"dtype\" comes twice"));
  EXPECT_THAT(complaint_about(R"({"__metadata__":{"k":"1","k":"2"}})", ""), HasSubstr("\"k\" comes twice"));
}

TEST_F(Checkpoint, WrongFieldsOfATensor_AreNamed) {
  const auto complaint = [&](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    const std::string text = complaint_about(
        fmt::format(R"({{"w":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape, offsets),
        "12345678");
    EXPECT_THAT(text, HasSubstr("\"w\""));
    return text;
  };
  EXPECT_EQ(complaint_about(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "12345678"), "");
  EXPECT_THAT(complaint(R"("F8_E4M3")", "[8]", "[0,8]"),
              HasSubstr("dtype \"F8_E4M3\" cannot be read; expected F64, F32"));
  EXPECT_THAT(complaint("7", "[2]", "[0,8]"), HasSubstr("dtype"));
  EXPECT_THAT(complaint(R"("F32")", "2", "[0,8]"), HasSubstr("shape is not an array"));
  EXPECT_THAT(complaint(R"("F32")", "[-2]", "[0,8]"), HasSubstr("natural number"));
  EXPECT_THAT(complaint(R"("F32")", "[2.0]", "[0,8]"), HasSubstr("natural number"));
  EXPECT_THAT(complaint(R"("F32")", "[4294967298]", "[0,8]"), HasSubstr("natural number below 2^31"));
  EXPECT_THAT(complaint(R"("F32")", "[3]", "[0,8]"),
              HasSubstr("3 elements of F32 are not the 8 bytes at data offset 0"));
  // Products that overflow to the right answer: 2^62 elements of 4 bytes are 0 bytes modulo 2^64.
  EXPECT_THAT(complaint(R"("F32")", "[2147483648,2147483648]", "[0,0]"), HasSubstr("below 2^31"));
  EXPECT_THAT(complaint(R"("F32")", "[1073741824,1073741824,4]", "[0,0]"), HasSubstr("elements"));
  EXPECT_THAT(complaint(R"("F32")", "[1073741824,1073741824,1073741824]", "[0,0]"), HasSubstr("2^63"));
  EXPECT_THAT(complaint(R"("F32")", "[2]", "[0,9]"), HasSubstr("0 to 9 do not lie in the 8 bytes"));
  EXPECT_THAT(complaint(R"("F32")", "[2]", "[8,0]"), HasSubstr("8 to 0 do not lie"));
  EXPECT_THAT(complaint(R"("F32")", "[2]", "[0]"), HasSubstr("data_offsets are not"));
  EXPECT_THAT(complaint(R"("F32")", "[2]", "[0,18446744073709551616]"), HasSubstr("data_offsets are not"));
  EXPECT_THAT(complaint_about(R"({"w":{"dtype":"F32","shape":[2]}})", "12345678"),
              HasSubstr("expected dtype, shape"));
  EXPECT_THAT(complaint_about(R"({"w":1})", ""), HasSubstr("expected dtype, shape"));
}

TEST_F(Checkpoint, HolesAndOverlaps_AreRefused) {
  const auto two = [](std::string_view first, std::string_view second) {
    return fmt::format(
        R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},"b":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
        first, second);
  };
  EXPECT_EQ(complaint_about(two("[4,8]", "[0,4]"), "12345678"), "");
  EXPECT_THAT(complaint_about(two("[0,4]", "[3,7]"), "1234567"),
              HasSubstr("\"b\" starts at data offset 3, but the bytes before it end at 4"));
  EXPECT_THAT(complaint_about(two("[0,4]", "[0,4]"), "1234"), HasSubstr("\"b\" starts at data offset 0"));
  EXPECT_THAT(complaint_about(two("[0,4]", "[5,9]"), "123456789"),
              HasSubstr("\"b\" starts at data offset 5"));
  EXPECT_THAT(complaint_about(two("[1,5]", "[5,9]"), "123456789"),
              HasSubstr("\"a\" starts at data offset 1"));
  EXPECT_THAT(complaint_about(two("[0,4]", "[4,8]"), "123456789"), HasSubstr("has 9 bytes of data"));
}

TEST_F(Checkpoint, NameOfNastyBytes_StaysOnOneLineOfTheMessage) {
  EXPECT_THAT(complaint_about("{\"a\\nb\\u001b[31m\": 1}", ""), HasSubstr("\"a\\nb\\u001b[31m\""));
  EXPECT_LT(complaint_about("{\"" + std::string(5000, 'x') + "\": 1}", "").size(), 600u);
}

TEST_F(Checkpoint, WhatCannotBeSaved_IsRefusedAndLeavesTheOldFile) {
  save_safetensors(path_, small_network(), {});
  const std::string before = read_file(path_);
  const HostTensor one = tensor_of<float>({1}, {1});
  EXPECT_THROW(save_safetensors(path_, {{"a", one}, {"a", one}}, {}), FileError);
  EXPECT_THROW(save_safetensors(path_, {{"__metadata__", one}}, {}), FileError);
  EXPECT_THROW(save_safetensors(path_, {{"\xff", one}}, {}), FileError);
  EXPECT_THROW(save_safetensors(path_, {}, {{"k", "\xff"}}), FileError);
  EXPECT_THROW(save_safetensors(path_, {}, {{"gnc.crc32", "0"}}), FileError);
  EXPECT_THROW(save_safetensors(path_, {{"a", HostTensor(TensorSpec{.shape = Shape({1}, 2)})}}, {}),
               ShapeError);
  EXPECT_THROW(save_safetensors(path_, {{"a", HostTensor({.shape = {1}, .dtype = DType::kBf16})}}, {}),
               ShapeError);
  EXPECT_THROW(save_safetensors(path_, {{"a", one, StoredAs::kI64}}, {}), ShapeError);
  EXPECT_THROW(
      save_safetensors(path_, {{"a", HostTensor({.shape = {1, 2, 2, 2}, .layout = Layout::kNHWC})}}, {}),
      ShapeError);
  EXPECT_EQ(read_file(path_), before);
  EXPECT_THROW(save_safetensors(folder_ / "nowhere" / "x", {}, {}), FileError);
  EXPECT_THROW(load_safetensors(folder_ / "nowhere"), FileError);
}

TEST_F(Checkpoint, EqualContents_GiveEqualBytes) {
  save_safetensors(path_, small_network(), {{"b", "1"}, {"a", "2"}});
  save_safetensors(folder_ / "again", small_network(), {{"a", "2"}, {"b", "1"}});
  EXPECT_EQ(read_file(path_), read_file(folder_ / "again"));
}

}  // namespace
}  // namespace gnc
