#include "data/transforms.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/error.h"

namespace gnc {
namespace {

/// Sums over values in [0,255], exact: 2^31 pictures of 4096² pixels stay below 2^64 in `values` and
/// `squares`.
struct Moments {
  std::uint64_t count = 0;
  std::uint64_t values = 0;
  std::uint64_t squares = 0;

  void add(const Moments& other) {
    count += other.count;
    values += other.values;
    squares += other.squares;
  }
  double mean() const { return static_cast<double>(values) / static_cast<double>(count) / 255.0; }
  double deviation() const {
    // n²·variance = n·Σx² − (Σx)² in integers, so that nothing cancels.
    const auto n = static_cast<unsigned __int128>(count);
    const unsigned __int128 scaled = n * squares - static_cast<unsigned __int128>(values) * values;
    return std::sqrt(static_cast<double>(scaled)) / static_cast<double>(count) / 255.0;
  }
};

/// One per channel of every pixel, in the order of storage.
std::vector<Moments> pixel_moments(const ImageSet& images) {
  require<UsageError>(images.size() > 0, "no pictures to take the mean and deviation of");
  std::vector<Moments> moments(static_cast<std::size_t>(shape_of(images).bytes()));
  for (int i = 0; i < images.size(); ++i) {
    const auto pixels = picture(images, i);
    for (std::size_t p = 0; p < moments.size(); ++p) {
      const std::uint64_t value = pixels[p];
      moments[p].values += value;
      moments[p].squares += value * value;
    }
  }
  for (Moments& moment : moments) moment.count = static_cast<std::uint64_t>(images.size());
  return moments;
}

/// One per channel: channels lie fastest.
std::vector<Moments> channel_moments(std::span<const Moments> pixels, int channels) {
  std::vector<Moments> moments(static_cast<std::size_t>(channels));
  for (std::size_t p = 0; p < pixels.size(); ++p) moments[p % moments.size()].add(pixels[p]);
  return moments;
}

}  // namespace

Normalization make_normalization(const ImageSet& images, NormalizationKind kind) {
  const PictureShape shape = shape_of(images);
  const TensorSpec spec{
      .shape = {1, shape.channels, shape.height, shape.width}, .dtype = DType::kF32, .layout = Layout::kNHWC};
  Normalization result{.scale = HostTensor(spec), .offset = HostTensor(spec)};
  const auto scale = result.scale.values<float>(), offset = result.offset.values<float>();
  if (kind == NormalizationKind::kNone) {
    std::fill(scale.begin(), scale.end(), 1.0F);
    return result;  // tensors start as zeros
  }
  std::vector<Moments> moments = pixel_moments(images);
  if (kind == NormalizationKind::kChannel) moments = channel_moments(moments, shape.channels);
  for (std::size_t p = 0; p < scale.size(); ++p) {
    const Moments& moment = moments[p % moments.size()];
    const double deviation = std::max(moment.deviation(), kDeviationFloor);
    scale[p] = static_cast<float>(1.0 / deviation);
    // The mean is rounded to fp32 before it is scaled, as the picture is: a pixel that never varies then
    // gives x·256 − x·256, exactly 0.
    offset[p] = -static_cast<float>(moment.mean()) * scale[p];
  }
  return result;
}

std::vector<ChannelStatistics> channel_statistics(const ImageSet& images) {
  const int channels = shape_of(images).channels;
  std::vector<ChannelStatistics> result(static_cast<std::size_t>(channels));
  const std::vector<Moments> moments = channel_moments(pixel_moments(images), channels);
  for (std::size_t c = 0; c < result.size(); ++c)
    result[c] = {.mean = moments[c].mean(), .deviation = moments[c].deviation()};
  const auto values = images.pixels.values<std::uint8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    ChannelStatistics& channel = result[i % result.size()];
    channel.minimum = std::min<int>(channel.minimum, values[i]);
    channel.maximum = std::max<int>(channel.maximum, values[i]);
  }
  return result;
}

ImageSet pad_to(ImageSet images, int size) {
  const PictureShape from = shape_of(images);
  require<UsageError>(from.height <= size && from.width <= size,
                      "pictures of {} (height x width x channels) do not fit in {}x{}", from.to_string(),
                      size, size);
  if (from.height == size && from.width == size) return images;
  const PictureShape to{.height = size, .width = size, .channels = from.channels};
  ImageSet padded = make_image_set(images.size(), to, images.num_classes, "padded pictures");
  padded.labels = std::move(images.labels);
  const int top = (size - from.height) / 2, left = (size - from.width) / 2;
  const std::size_t row_bytes =
      static_cast<std::size_t>(from.width) * static_cast<std::size_t>(from.channels);
  for (int i = 0; i < images.size(); ++i) {
    const std::uint8_t* source = picture(std::as_const(images), i).data();
    std::uint8_t* destination = picture(padded, i).data();
    for (int y = 0; y < from.height; ++y) {
      const int start = ((top + y) * size + left) * from.channels;
      std::memcpy(destination + start, source + static_cast<std::size_t>(y) * row_bytes, row_bytes);
    }
  }
  return padded;
}

}  // namespace gnc
