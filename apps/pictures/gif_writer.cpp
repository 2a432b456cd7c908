#include "apps/pictures/gif_writer.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

constexpr std::size_t kMaxColors = 255;
constexpr unsigned char kAsBefore = 255;  // the transparent index

struct Counted {
  std::array<int, 3> channels;  // red, green, blue
  std::int64_t count;
};

std::array<int, 3> channels_of(std::uint32_t pixel) {
  return {static_cast<int>(pixel >> 16 & 0xFF), static_cast<int>(pixel >> 8 & 0xFF),
          static_cast<int>(pixel & 0xFF)};
}

/// A box of median cut: colours [begin, end) and the channel they spread most in.
struct Box {
  std::size_t begin;
  std::size_t end;
  std::size_t channel;
  int spread;
};

Box box_of(std::span<const Counted> colors, std::size_t begin, std::size_t end) {
  Box box = {begin, end, 0, -1};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    int low = 255, high = 0;
    for (std::size_t i = begin; i < end; ++i) {
      low = std::min(low, colors[i].channels[channel]);
      high = std::max(high, colors[i].channels[channel]);
    }
    if (high - low > box.spread) {
      box.spread = high - low;
      box.channel = channel;
    }
  }
  return box;
}

Color mean_color(std::span<const Counted> colors) {
  std::array<std::int64_t, 3> sums = {};
  std::int64_t count = 0;
  for (const Counted& color : colors) {
    for (std::size_t channel = 0; channel < 3; ++channel)
      sums[channel] += color.count * color.channels[channel];
    count += color.count;
  }
  const auto mean = [&](std::size_t channel) {
    return static_cast<std::uint8_t>((sums[channel] + count / 2) / count);
  };
  return {mean(0), mean(1), mean(2)};
}

/// Heckbert's median cut into at most `most` colours, the widest box first.
void median_cut(std::vector<Counted> colors, std::size_t most, std::vector<Color>& palette) {
  if (colors.empty() || most == 0) return;
  std::vector<Box> boxes = {box_of(colors, 0, colors.size())};
  while (boxes.size() < most) {
    const auto widest = std::max_element(boxes.begin(), boxes.end(),
                                         [](const Box& a, const Box& b) { return a.spread < b.spread; });
    if (widest->spread == 0) break;
    const Box box = *widest;
    const auto first = colors.begin() + static_cast<std::ptrdiff_t>(box.begin);
    const auto last = colors.begin() + static_cast<std::ptrdiff_t>(box.end);
    // Ties by all channels, so that equal pictures get equal palettes.
    std::sort(first, last, [&box](const Counted& a, const Counted& b) {
      return std::pair(a.channels[box.channel], a.channels) < std::pair(b.channels[box.channel], b.channels);
    });
    std::int64_t total = 0;
    for (auto color = first; color != last; ++color) total += color->count;
    std::size_t middle = box.begin;
    for (std::int64_t below = 0; middle + 1 < box.end && 2 * below < total; ++middle)
      below += colors[middle].count;
    middle = std::max(middle, box.begin + 1);
    *widest = box_of(colors, box.begin, middle);
    boxes.push_back(box_of(colors, middle, box.end));
  }
  for (const Box& box : boxes) {
    palette.push_back(mean_color(std::span(colors).subspan(box.begin, box.end - box.begin)));
  }
}

struct PixelBox {
  int left;
  int top;
  int width;
  int height;
};

/// The smallest box that holds all differences; one pixel where there are none, as a frame must have one.
PixelBox changed_box(std::span<const unsigned char> before, std::span<const unsigned char> after, int width) {
  int left = width, right = -1, top = 0, bottom = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (before[i] == after[i]) continue;
    const int row = static_cast<int>(i / static_cast<std::size_t>(width));
    const int column = static_cast<int>(i % static_cast<std::size_t>(width));
    if (right < 0) top = row;
    bottom = row;
    left = std::min(left, column);
    right = std::max(right, column);
  }
  if (right < 0) return {0, 0, 1, 1};
  return {left, top, right - left + 1, bottom - top + 1};
}

/// How often the index changes from one pixel to the next: about what LZW takes room for.
std::int64_t runs_of(std::span<const unsigned char> pixels) {
  std::int64_t runs = 0;
  for (std::size_t i = 1; i < pixels.size(); ++i) runs += pixels[i] != pixels[i - 1] ? 1 : 0;
  return runs;
}

int append_bytes(GifFileType* file, const GifByteType* data, int length) {
  static_cast<std::string*>(file->UserData)
      ->append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(length));
  return length;
}

void check(int result, const GifFileType* file) {
  if (result == GIF_OK) return;
  const char* text = GifErrorString(file->Error);
  throw Error(fmt::format("animation: giflib: {}", text != nullptr ? text : "unknown error"));
}

}  // namespace

std::vector<Color> quantised_palette(std::span<const Canvas> samples, int most) {
  require(most >= 1 && most <= static_cast<int>(kMaxColors), "animation: {} colours; expected 1 to {}", most,
          kMaxColors);
  const auto limit = static_cast<std::size_t>(most);
  std::unordered_map<std::uint32_t, std::int64_t> counts;
  for (const Canvas& sample : samples) {
    for (const std::uint32_t pixel : sample.pixels()) ++counts[pixel];
  }
  std::vector<Counted> colors;
  for (const auto& [pixel, count] : counts) colors.push_back({channels_of(pixel), count});
  std::sort(colors.begin(), colors.end(), [](const Counted& a, const Counted& b) {
    return std::pair(-a.count, a.channels) < std::pair(-b.count, b.channels);
  });
  const std::size_t exact = colors.size() <= limit ? colors.size() : std::max<std::size_t>(1, limit * 3 / 8);
  std::vector<Color> palette;
  for (std::size_t i = 0; i < exact; ++i) palette.push_back(mean_color({&colors[i], 1}));
  colors.erase(colors.begin(), colors.begin() + static_cast<std::ptrdiff_t>(exact));
  median_cut(std::move(colors), limit - exact, palette);
  return palette;
}

GifWriter::GifWriter(int pixel_width, int pixel_height, std::vector<Color> palette)
    : width_(pixel_width), height_(pixel_height), palette_(std::move(palette)) {
  require(!palette_.empty() && palette_.size() <= kMaxColors, "animation: {} colours; expected 1 to {}",
          palette_.size(), kMaxColors);
  require(width_ > 0 && height_ > 0 && width_ <= 65535 && height_ <= 65535,
          "animation: {}x{} pixels; expected 1 to 65535 a side", width_, height_);
  int error = 0;
  file_ = EGifOpen(&bytes_, append_bytes, &error);
  if (file_ == nullptr) throw Error(fmt::format("animation: giflib: {}", GifErrorString(error)));
  try {
    EGifSetGifVersion(file_, true);  // GIF89a: delays and the loop
    const std::unique_ptr<ColorMapObject, void (*)(ColorMapObject*)> colors(GifMakeMapObject(256, nullptr),
                                                                            GifFreeMapObject);
    require(colors != nullptr, "animation: out of memory");
    for (std::size_t i = 0; i < palette_.size(); ++i) {
      colors->Colors[i] = {palette_[i].red, palette_[i].green, palette_[i].blue};
    }
    check(EGifPutScreenDesc(file_, width_, height_, 8, 0, colors.get()), file_);
    // Netscape's extension: repeat 0 times, that is for ever.
    const std::array<unsigned char, 3> loop = {1, 0, 0};
    check(EGifPutExtensionLeader(file_, APPLICATION_EXT_FUNC_CODE), file_);
    check(EGifPutExtensionBlock(file_, 11, "NETSCAPE2.0"), file_);
    check(EGifPutExtensionBlock(file_, static_cast<int>(loop.size()), loop.data()), file_);
    check(EGifPutExtensionTrailer(file_), file_);
  } catch (...) {
    EGifCloseFile(file_, nullptr);
    throw;
  }
}

GifWriter::~GifWriter() {
  if (file_ != nullptr) EGifCloseFile(file_, nullptr);
}

unsigned char GifWriter::nearest(std::uint32_t pixel) {
  const auto [place, is_new] = nearest_.try_emplace(pixel);
  if (!is_new) return place->second;
  const std::array<int, 3> wanted = channels_of(pixel);
  int best = -1;
  for (std::size_t i = 0; i < palette_.size(); ++i) {
    const int red = palette_[i].red - wanted[0];
    const int green = palette_[i].green - wanted[1];
    const int blue = palette_[i].blue - wanted[2];
    const int distance = red * red + green * green + blue * blue;
    if (best < 0 || distance < best) {
      best = distance;
      place->second = static_cast<unsigned char>(i);
    }
  }
  return place->second;
}

void GifWriter::add(const Canvas& frame, int delay) {
  require(frame.pixel_width() == width_ && frame.pixel_height() == height_,
          "animation: a frame of {}x{} pixels in one of {}x{}", frame.pixel_width(), frame.pixel_height(),
          width_, height_);
  require(delay >= 1 && delay <= 65535,
          "animation: a delay of {} hundredths of a second; expected 1 to 65535", delay);
  const std::vector<std::uint32_t> pixels = frame.pixels();
  std::vector<unsigned char> indices(pixels.size());
  std::transform(pixels.begin(), pixels.end(), indices.begin(),
                 [this](std::uint32_t p) { return nearest(p); });

  const bool is_first = shown_.empty();
  const PixelBox box = is_first ? PixelBox{0, 0, width_, height_} : changed_box(shown_, indices, width_);
  std::vector<GifPixelType> all, changes;
  for (int row = box.top; row < box.top + box.height; ++row) {
    for (int column = box.left; column < box.left + box.width; ++column) {
      const std::size_t i =
          static_cast<std::size_t>(row) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(column);
      all.push_back(indices[i]);
      if (!is_first) changes.push_back(shown_[i] == indices[i] ? kAsBefore : indices[i]);
    }
  }
  // Where much moves, areas broken by "as before" take more room than whole ones.
  std::vector<GifPixelType>& pixels_to_write = !is_first && runs_of(changes) < runs_of(all) ? changes : all;

  // Disposal 1: the picture stays, and the next frame is drawn over it.
  const GraphicsControlBlock control = {.DisposalMode = DISPOSE_DO_NOT,
                                        .UserInputFlag = false,
                                        .DelayTime = delay,
                                        .TransparentColor = is_first ? NO_TRANSPARENT_COLOR : kAsBefore};
  std::array<GifByteType, 4> extension;
  EGifGCBToExtension(&control, extension.data());
  check(EGifPutExtension(file_, GRAPHICS_EXT_FUNC_CODE, static_cast<int>(extension.size()), extension.data()),
        file_);
  check(EGifPutImageDesc(file_, box.left, box.top, box.width, box.height, false, nullptr), file_);
  check(EGifPutLine(file_, pixels_to_write.data(), static_cast<int>(pixels_to_write.size())), file_);
  shown_ = std::move(indices);
}

std::string GifWriter::finish() {
  require(file_ != nullptr && !shown_.empty(), "animation: it has no frames");
  int error = 0;
  const int result = EGifCloseFile(file_, &error);
  file_ = nullptr;  // closed and freed, even when that failed
  require(result == GIF_OK, "animation: giflib: cannot finish it (error {})", error);
  return std::move(bytes_);
}

void write_gif(const std::filesystem::path& path, const Animation& animation) {
  try {
    const int frames = static_cast<int>(animation.delays.size());
    require(frames > 0, "animation: it has no frames");
    // Enough to have seen every colour of pictures that change slowly.
    constexpr int kSamples = 12;
    std::vector<Canvas> samples;
    for (int i = 0; i < std::min(frames, kSamples); ++i) {
      samples.emplace_back(animation.size);
      animation.draw(samples.back(), frames <= kSamples ? i : i * (frames - 1) / (kSamples - 1));
    }
    GifWriter writer(samples[0].pixel_width(), samples[0].pixel_height(),
                     quantised_palette(samples, animation.colors));
    samples.clear();
    for (int i = 0; i < frames; ++i) {
      Canvas canvas(animation.size);
      animation.draw(canvas, i);
      writer.add(canvas, animation.delays[static_cast<std::size_t>(i)]);
    }
    write_atomically(path, writer.finish());
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace gnc
