#include "data/picture.h"

#include <gtest/gtest.h>

#include "data/picture_structure.h"
#include "tests/data/files.h"

namespace gnc::tests {
namespace {

constexpr PictureShape kGrey{.height = 5, .width = 7, .channels = 1};
constexpr PictureShape kColour{.height = 5, .width = 7, .channels = 3};

std::vector<std::uint8_t> noise_of(const PictureShape& shape, std::uint64_t seed) {
  return noise(static_cast<std::size_t>(shape.bytes()), seed);
}

void expect_bad(const std::string& bytes, std::initializer_list<std::string_view> parts) {
  expect_error<FileError>([&] { decode_picture(bytes, "the-file"); }, parts);
}

TEST(Picture, Png_Gives_Exactly_The_Pixels_It_Was_Made_Of) {
  for (const PictureShape& shape : {kGrey, kColour, PictureShape{.height = 1, .width = 1, .channels = 3}}) {
    const auto pixels = noise_of(shape, 3);
    for (const std::string& file : {png_file(shape, pixels), encode_png(shape, pixels)}) {
      const Picture decoded = decode_picture(file, "test");
      EXPECT_EQ(decoded.shape, shape);
      EXPECT_EQ(decoded.pixels, pixels);
    }
  }
}

TEST(Picture, Jpeg_Of_One_Colour_Keeps_It) {
  const PictureShape shape{.height = 16, .width = 24, .channels = 3};
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < shape.height * shape.width; ++i) pixels.insert(pixels.end(), {200, 100, 30});
  const Picture decoded = decode_picture(encode_jpeg(shape, pixels, 100), "test");
  ASSERT_EQ(decoded.shape, shape);
  // At quality 100 the quantiser's step is 1, so only the conversions to YCbCr and back round: two levels at
  // most.
  for (std::size_t i = 0; i < pixels.size(); ++i)
    ASSERT_NEAR(decoded.pixels[i], pixels[i], 2) << "value " << i;
}

TEST(Picture, Rejects_Every_Truncation) {
  const auto pixels = noise_of(kColour, 4);
  for (const std::string& file : {png_file(kColour, pixels), encode_jpeg(kColour, pixels, 90)})
    for (std::size_t length = 0; length < file.size(); ++length)
      expect_bad(file.substr(0, length), {"the-file"});
}

TEST(Picture, Survives_Any_Changed_Byte) {
  const auto pixels = noise_of(kColour, 5);
  const std::string png = png_file(kColour, pixels), jpeg = encode_jpeg(kColour, pixels, 90);
  for (std::size_t at = 0; at < png.size(); ++at) {
    std::string corrupt = png;
    corrupt[at] = static_cast<char>(corrupt[at] ^ 0x24);
    expect_bad(corrupt, {"the-file"});  // chunks carry checksums
  }
  for (std::size_t at = 0; at < jpeg.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string corrupt = jpeg;
      corrupt[at] = static_cast<char>(corrupt[at] ^ change);
      const std::string message = error_of<FileError>([&] { decode_picture(corrupt, "the-file"); });
      EXPECT_FALSE(message.starts_with("(another")) << "byte " << at << ": " << message;
    }
  }
}

TEST(Picture, Rejects_Other_Formats_Transparency_And_Large_Sides) {
  expect_bad("", {"the-file", "empty", "JPEG or PNG"});
  expect_bad("GIF89a and so on", {"the-file", "JPEG or PNG"});
  expect_bad("P6 1 1 255 abc", {"JPEG or PNG"});
  const PictureShape transparent{.height = 5, .width = 7, .channels = 4};
  expect_bad(png_file(transparent, noise_of(transparent, 6)), {"4 channels", "expected 1 (grey) or 3 (RGB)"});
  const PictureShape wide{.height = 1, .width = kMaxPictureExtent + 1, .channels = 1};
  expect_bad(png_file(wide, noise_of(wide, 7)), {"the-file"});
  const PictureShape widest{.height = 1, .width = kMaxPictureExtent, .channels = 1};
  EXPECT_EQ(decode_picture(png_file(widest, noise_of(widest, 7)), "test").shape, widest);
}

TEST(Picture, Rejects_Pixels_That_Are_Fewer_Or_More_Than_The_Header_Says) {
  const auto pixels = noise_of(kColour, 8);
  const std::string file = png_file(kColour, pixels);
  const std::string short_data =
      png_file({.height = 4, .width = 7, .channels = 3}, std::span(pixels).first(4 * 7 * 3));
  // The header of one (signature 8, chunk 25 bytes) with the data of the other.
  expect_bad(file.substr(0, 33) + short_data.substr(33), {"the-file", "not a readable PNG"});
}

TEST(Picture, Rejects_An_Inflation_Bomb) {
  // A header of 1x1 and 4 MiB of zeros; then the largest header there may be, with nothing behind it.
  const std::vector<std::uint8_t> zeros(std::size_t{1} << 22);
  const PictureShape tiny{.height = 1, .width = 1, .channels = 1};
  const std::string header = png_file(tiny, std::vector<std::uint8_t>{0}).substr(0, 33);
  const std::string bomb =
      header + png_file({.height = 1024, .width = 4096, .channels = 1}, zeros).substr(33);
  const std::string message = error_of<FileError>([&] { decode_picture(bomb, "the-file"); });
  EXPECT_FALSE(message.starts_with("(another")) << message;
  const PictureShape huge{.height = 4096, .width = 4096, .channels = 3};
  const std::string empty = png_file(huge, {}).substr(0, 33) + png_chunk("IDAT", "") + png_chunk("IEND", "");
  expect_bad(empty, {"the-file", "claims 4096x4096 pixels", "holds at most"});
}

TEST(Picture, Names_A_Header_Without_Pixels) {
  const std::string empty = png_file({.height = 0, .width = 0, .channels = 1}, {});
  expect_bad(empty, {"the-file: not a readable PNG: its header says 0x0 pixels"});
}

/// The JPEG with the first segment of `marker` replaced.
std::string replace_segment(const std::string& jpeg, char marker, const std::string& contents) {
  const std::size_t at = jpeg.find(std::string{'\xFF', marker});
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(jpeg[at + 2]) * 256 +
                                               static_cast<unsigned char>(jpeg[at + 3]));
  const std::size_t size = contents.size() + 2;
  return jpeg.substr(0, at + 2) + static_cast<char>(size >> 8) + static_cast<char>(size & 0xFF) + contents +
         jpeg.substr(at + 2 + length);
}

TEST(Picture, Rejects_More_Scans_Than_A_Picture_Can_Use) {
  const std::string jpeg = encode_jpeg(kColour, noise_of(kColour, 12), 90);
  const std::size_t start = jpeg.find("\xFF\xDA");
  ASSERT_NE(start, jpeg.npos);
  const auto with_scans = [&](int count, char frame) {
    std::string file = jpeg.substr(0, start);
    file[file.find("\xFF\xC0") + 1] = frame;
    for (int i = 0; i < count; ++i) file += jpeg.substr(start, jpeg.size() - start - 2);
    return file + "\xFF\xD9";
  };
  EXPECT_EQ(jpeg_fault(with_scans(4, '\xC0')), "");
  expect_bad(with_scans(5, '\xC0'), {"the-file", "the JPEG file has more than 4 scans"});
  EXPECT_EQ(jpeg_fault(with_scans(100, '\xC2')), "");
  expect_bad(with_scans(101, '\xC2'), {"the-file", "the JPEG file has more than 100 scans"});
}

TEST(Picture, Rejects_Huffman_Tables_Beyond_Their_256_Codes) {
  // stb_image 2.27 writes past its tables for this one.
  const std::string jpeg = encode_jpeg(kColour, noise_of(kColour, 9), 90);
  std::string table(17 + 16 * 255, '\0');
  for (std::size_t i = 1; i <= 16; ++i) table[i] = '\xFF';
  const std::string hostile = replace_segment(jpeg, '\xC4', table);
  EXPECT_EQ(jpeg_fault(hostile), "a Huffman table has 4080 codes, expected at most 256");
  expect_bad(hostile, {"the-file", "Huffman"});
  expect_bad(replace_segment(jpeg, '\xC4', table.substr(0, 40)), {"Huffman"});
}

TEST(Picture, Jpeg_Without_Its_Tables_Is_Decoded_Or_Rejected_But_Read_From_No_Stray_Memory) {
  const std::string jpeg = encode_jpeg(kColour, noise_of(kColour, 10), 90);
  const std::string without = replace_segment(jpeg, '\xC4', "");
  const std::string first = error_of<FileError>([&] { decode_picture(without, "the-file"); });
  EXPECT_FALSE(first.starts_with("(another")) << first;
  if (first.starts_with("(")) {
    EXPECT_EQ(decode_picture(without, "a").pixels, decode_picture(without, "b").pixels);
  }
}

TEST(Picture, Structure_Is_Told_Apart_From_The_First_Bytes) {
  EXPECT_TRUE(is_png(png_file(kGrey, noise_of(kGrey, 11))));
  EXPECT_TRUE(is_jpeg(encode_jpeg(kGrey, noise_of(kGrey, 11), 50)));
  EXPECT_FALSE(is_png("\x89PNG"));
  EXPECT_FALSE(is_jpeg("\xFF\xD8"));
  EXPECT_EQ(jpeg_fault("\xFF\xD8\xFF\xD9"), "the JPEG file has no picture data");
}

TEST(Picture, Encoders_Reject_Pixels_That_Do_Not_Fit_The_Shape) {
  const auto pixels = noise_of(kColour, 12);
  expect_error<ShapeError>([&] { encode_png(kGrey, pixels); }, {"105", "5x7x1"});
  expect_error<ShapeError>([&] { encode_jpeg({.height = 0, .width = 7, .channels = 3}, {}, 90); }, {"0x7x3"});
}

TEST(Picture, Rejects_A_Jpeg_That_Claims_More_Than_It_Can_Hold) {
  const std::string jpeg = encode_jpeg(kColour, noise_of(kColour, 6), 90);
  const std::size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, jpeg.npos);
  std::string claim = jpeg;
  claim.replace(frame + 5, 4, std::string("\x10\x00\x10\x00", 4));  // height and width 4096
  expect_bad(claim, {"the-file", "claims 4096x4096 pixels", "holds at most"});
}

TEST(Picture, Of_One_Colour_Is_Not_Taken_For_A_Bomb) {
  // As small as a file of its size can be: what encoders make of 512x512 equal pixels.
  const PictureShape shape{.height = 512, .width = 512, .channels = 3};
  const std::vector<std::uint8_t> black(static_cast<std::size_t>(shape.bytes()));
  EXPECT_EQ(decode_picture(encode_png(shape, black), "test").pixels, black);
  EXPECT_EQ(decode_picture(encode_jpeg(shape, black, 1), "test").shape, shape);
}

}  // namespace
}  // namespace gnc::tests
