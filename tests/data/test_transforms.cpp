#include "data/transforms.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/files.h"

namespace gnc::tests {
namespace {

/// Pictures of noise that is different at every pixel and in every channel.
ImageSet noisy_images(int count, const PictureShape& shape) {
  auto pixels = noise(static_cast<std::size_t>(count * shape.bytes()), 21);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(pixels[i] / (1 + i % 3) + 10 * (i % 7));
  return image_set(shape, pixels, std::vector<std::int32_t>(static_cast<std::size_t>(count)), 2);
}

/// The op's formula in double: y = pixel/255·scale + offset.
double normalised(const ImageSet& images, const Normalization& normalization, int image, int p) {
  const auto at = static_cast<std::size_t>(p);
  return static_cast<double>(picture(images, image)[at]) / 255.0 *
             static_cast<double>(normalization.scale.values<float>()[at]) +
         static_cast<double>(normalization.offset.values<float>()[at]);
}

// scale and offset are each rounded once to fp32 (relative error 2^-24), the mean twice. Values here are
// within 1/std = 256/10 of zero, so the error of y is below 4·2^-24·26 = 6e-6; sums of squares see it
// doubled.
constexpr double kRounding = 1.5e-5;

TEST(Normalization, Gives_Every_Pixel_Mean_0_And_Deviation_1) {
  const PictureShape shape{.height = 3, .width = 5, .channels = 2};
  const ImageSet images = noisy_images(57, shape);
  const Normalization normalization = make_normalization(images, NormalizationKind::kPixel);
  EXPECT_EQ(normalization.scale.spec().to_string(), "[1,2,3,5] fp32 NHWC");
  EXPECT_EQ(normalization.offset.spec(), normalization.scale.spec());
  for (int p = 0; p < shape.bytes(); ++p) {
    double sum = 0, squares = 0;
    for (int i = 0; i < images.size(); ++i) {
      const double y = normalised(images, normalization, i, p);
      sum += y;
      squares += y * y;
    }
    EXPECT_NEAR(sum / images.size(), 0, kRounding) << p;
    EXPECT_NEAR(squares / images.size(), 1, kRounding) << p;
  }
}

TEST(Normalization, Of_Pixels_Is_That_Of_A_Direct_Computation) {
  const PictureShape shape{.height = 2, .width = 3, .channels = 3};
  const ImageSet images = noisy_images(31, shape);
  const Normalization normalization = make_normalization(images, NormalizationKind::kPixel);
  for (int p = 0; p < shape.bytes(); ++p) {
    const auto at = static_cast<std::size_t>(p);
    double mean = 0, variance = 0;
    for (int i = 0; i < images.size(); ++i) mean += picture(images, i)[at] / 255.0 / images.size();
    for (int i = 0; i < images.size(); ++i)
      variance += std::pow(picture(images, i)[at] / 255.0 - mean, 2) / images.size();
    const double scale = 1 / std::sqrt(variance);
    EXPECT_NEAR(normalization.scale.values<float>()[at], scale, 4 * 0x1p-24 * scale);
    EXPECT_NEAR(normalization.offset.values<float>()[at], -mean * scale, 4 * 0x1p-24 * mean * scale);
  }
}

TEST(Normalization, Of_Channels_Uses_One_Mean_And_Deviation_For_All_Pixels_Of_A_Channel) {
  const PictureShape shape{.height = 4, .width = 3, .channels = 3};
  const ImageSet images = noisy_images(20, shape);
  const Normalization normalization = make_normalization(images, NormalizationKind::kChannel);
  for (int c = 0; c < shape.channels; ++c) {
    double sum = 0, squares = 0, count = 0;
    for (int i = 0; i < images.size(); ++i) {
      for (int p = c; p < shape.bytes(); p += shape.channels) {
        const double y = normalised(images, normalization, i, p);
        sum += y;
        squares += y * y;
        ++count;
      }
    }
    EXPECT_NEAR(sum / count, 0, kRounding);
    EXPECT_NEAR(squares / count, 1, kRounding);
    for (int p = c; p < shape.bytes(); p += shape.channels)
      EXPECT_EQ(normalization.scale.values<float>()[static_cast<std::size_t>(p)],
                normalization.scale.values<float>()[static_cast<std::size_t>(c)]);
  }
}

TEST(Normalization, None_Leaves_Pictures_In_0_To_1) {
  const ImageSet images = noisy_images(3, {.height = 2, .width = 2, .channels = 1});
  const Normalization normalization = make_normalization(images, NormalizationKind::kNone);
  for (const float scale : normalization.scale.values<float>()) EXPECT_EQ(scale, 1.0F);
  for (const float offset : normalization.offset.values<float>()) EXPECT_EQ(offset, 0.0F);
}

TEST(Normalization, Maps_A_Pixel_That_Never_Varies_To_Exactly_0) {
  // One picture of every grey level: each "never varies" in a set of one.
  for (int level = 0; level < 256; ++level) {
    const auto value = static_cast<std::uint8_t>(level);
    const std::vector<std::uint8_t> pixels(3, value);
    const ImageSet images = image_set({.height = 1, .width = 1, .channels = 1}, pixels, {0, 0, 0}, 2);
    for (const auto kind : {NormalizationKind::kPixel, NormalizationKind::kChannel}) {
      const Normalization normalization = make_normalization(images, kind);
      const float scale = normalization.scale.values<float>()[0],
                  offset = normalization.offset.values<float>()[0];
      EXPECT_EQ(scale, 256.0F);
      // In fp32 as the op does it, with and without a fused multiply-add.
      const float x = static_cast<float>(value) / 255.0F;
      const volatile float product = x * scale;
      EXPECT_EQ(product + offset, 0.0F) << level;
      EXPECT_EQ(std::fma(x, scale, offset), 0.0F) << level;
    }
  }
}

TEST(Normalization, Does_Not_Amplify_A_Variation_Below_A_Grey_Level) {
  std::vector<std::uint8_t> pixels(1000, 0);
  pixels[17] = 3;  // deviation 3/√1000 of a grey level: unfloored, this one would become √1000 = 31.6
  const ImageSet images =
      image_set({.height = 1, .width = 1, .channels = 1}, pixels, std::vector<std::int32_t>(1000), 2);
  const Normalization normalization = make_normalization(images, NormalizationKind::kPixel);
  EXPECT_NEAR(normalised(images, normalization, 17, 0), 3.0, 0.02);
}

TEST(ChannelStatistics, Of_Large_Equal_Values_Do_Not_Cancel) {
  // 254 and 255 in turn: deviation is exactly half a level, where E[x²] − E[x]² in fp32 would have no digit
  // left.
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 5000; ++i) pixels.push_back(static_cast<std::uint8_t>(254 + i % 2));
  const ImageSet images =
      image_set({.height = 1, .width = 5, .channels = 1}, pixels, std::vector<std::int32_t>(1000), 2);
  const ChannelStatistics statistics = channel_statistics(images).at(0);
  EXPECT_DOUBLE_EQ(statistics.mean, 254.5 / 255);
  EXPECT_DOUBLE_EQ(statistics.deviation, 0.5 / 255);
  EXPECT_EQ(statistics.minimum, 254);
  EXPECT_EQ(statistics.maximum, 255);
}

TEST(Padding, Centres_Pictures_On_Black) {
  const PictureShape shape{.height = 2, .width = 3, .channels = 2};
  const auto pixels = noise(static_cast<std::size_t>(2 * shape.bytes()), 5);
  const ImageSet images = image_set(shape, pixels, {1, 0}, 2);
  const ImageSet padded = pad_to(images, 6);
  EXPECT_EQ(shape_of(padded), (PictureShape{.height = 6, .width = 6, .channels = 2}));
  EXPECT_EQ(padded.labels, images.labels);
  for (int i = 0; i < 2; ++i)
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 6; ++x)
        for (int c = 0; c < 2; ++c) {
          // 4 rows to spare: 2 above. 3 columns to spare: 1 on the left.
          const bool is_inside = y >= 2 && y < 4 && x >= 1 && x < 4;
          const int expected =
              is_inside ? picture(images, i)[static_cast<std::size_t>(((y - 2) * 3 + x - 1) * 2 + c)] : 0;
          ASSERT_EQ(picture(padded, i)[static_cast<std::size_t>((y * 6 + x) * 2 + c)], expected)
              << i << y << x << c;
        }
}

TEST(Padding, Changes_Nothing_At_The_Same_Size_And_Refuses_A_Smaller_One) {
  const ImageSet images = noisy_images(3, {.height = 5, .width = 5, .channels = 1});
  EXPECT_TRUE(same(pad_to(images, 5), images));
  expect_error<UsageError>([&] { pad_to(images, 4); }, {"5x5x1", "4x4"});
}

}  // namespace
}  // namespace gnc::tests
