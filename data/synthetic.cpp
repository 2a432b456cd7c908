#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "data/parallel.h"
#include "engine/error.h"
#include "engine/nearest_name.h"
#include "engine/random.h"

namespace gnc {
namespace {

/// Fixed-point 1.0 of weights and gains.
constexpr int kOne = 256;
/// A texture is smooth noise of two octaves, the coarse one twice as strong: features of a quarter and an
/// eighth of the picture, which small convolutions can see.
constexpr int kCoarseCells = 4;
constexpr int kFineCells = 8;
/// Contrast is drawn from [160, 352)/256, brightness from ±24 and noise from [-32, 32) grey levels.
constexpr int kLowestGain = 160;
constexpr int kGains = 192;
constexpr int kBrightness = 24;
constexpr int kNoiseShift = 2;

/// One texture: channels x size x size values in [-128, 127]. It wraps around at the edges.
using Texture = std::vector<std::int8_t>;

/// Smooth noise of one octave at one pixel, in [-128, 127]: bilinear between the points of a torus of cells x
/// cells.
int smooth_noise(std::span<const int> points, int cells, int size, int y, int x) {
  const int v = y * cells * kOne / size, u = x * cells * kOne / size;  // in cells, fixed point
  const int row = v / kOne, column = u / kOne, fy = v % kOne, fx = u % kOne;
  const auto at = [&](int r, int c) {
    return points[static_cast<std::size_t>(r % cells * cells + c % cells)];
  };
  const int top = at(row, column) * (kOne - fx) + at(row, column + 1) * fx;
  const int bottom = at(row + 1, column) * (kOne - fx) + at(row + 1, column + 1) * fx;
  return (top * (kOne - fy) + bottom * fy) / (kOne * kOne);
}

Texture make_texture(const SyntheticConfig& config, std::uint64_t index) {
  const RandomStream random(config.seed, "synthetic texture", index);
  const int size = config.size;
  std::uint64_t position = 0;
  const auto random_points = [&](int cells) {
    std::vector<int> points(static_cast<std::size_t>(cells * cells));
    for (int& point : points) point = static_cast<int>(random.below(position++, 256)) - 128;
    return points;
  };
  Texture texture;
  for (int c = 0; c < config.channels; ++c) {
    const std::vector<int> coarse = random_points(kCoarseCells), fine = random_points(kFineCells);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const int value =
            2 * smooth_noise(coarse, kCoarseCells, size, y, x) + smooth_noise(fine, kFineCells, size, y, x);
        texture.push_back(static_cast<std::int8_t>(value / 3));
      }
    }
  }
  return texture;
}

std::vector<Texture> make_class_textures(const SyntheticConfig& config) {
  const int common = static_cast<int>(std::lround(config.similarity * kOne));
  const Texture shared = make_texture(config, 0);
  std::vector<Texture> textures;
  for (int label = 0; label < config.classes; ++label) {
    Texture texture = make_texture(config, static_cast<std::uint64_t>(label) + 1);
    for (std::size_t i = 0; i < texture.size(); ++i)
      texture[i] = static_cast<std::int8_t>((common * shared[i] + (kOne - common) * texture[i]) / kOne);
    textures.push_back(std::move(texture));
  }
  return textures;
}

/// One look at a texture: shifted (around the edges) by up to an eighth of the size, with its own contrast,
/// brightness and noise.
void render(const SyntheticConfig& config, const Texture& texture, const RandomStream& random,
            std::span<std::uint8_t> pixels) {
  const int size = config.size, reach = size / 8;
  const auto draw = random.bits(0);
  const auto span = static_cast<std::uint32_t>(2 * reach + 1);
  const int shift_y = static_cast<int>(draw[0] % span) - reach + size;
  const int shift_x = static_cast<int>(draw[1] % span) - reach + size;
  const int gain = kLowestGain + static_cast<int>(draw[2] % kGains);
  const int brightness = 128 - kBrightness + static_cast<int>(draw[3] % (2 * kBrightness + 1));
  std::array<std::uint32_t, 4> noise{};
  std::size_t i = 0;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const int from = (y + shift_y) % size * size + (x + shift_x) % size;
      for (int c = 0; c < config.channels; ++c, ++i) {
        if (i % 16 == 0) noise = random.bits(1 + i / 16);  // 16 bytes a block
        const int byte = static_cast<int>((noise[i % 16 / 4] >> (i % 4 * 8)) & 0xFFu);
        const int value = texture[static_cast<std::size_t>(c * size * size + from)];
        const int level = brightness + value * gain / kOne + ((byte - 128) >> kNoiseShift);
        pixels[i] = static_cast<std::uint8_t>(std::clamp(level, 0, 255));
      }
    }
  }
}

void fill(const SyntheticConfig& config, const std::vector<Texture>& textures, std::string_view purpose,
          int threads, ImageSet& images) {
  parallel_for(images.size(), threads, [&](std::int64_t i) {
    const auto label = static_cast<std::int32_t>(i % config.classes);
    images.labels[static_cast<std::size_t>(i)] = label;
    const RandomStream random(config.seed, purpose, static_cast<std::uint64_t>(i));
    render(config, textures[static_cast<std::size_t>(label)], random, picture(images, i));
  });
}

template <class Number>
Number parse_number(std::string_view key, std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Written so that NaN fails.
  const bool is_good =
      error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
  require<UsageError>(is_good, "synthetic: {}={}: expected a number from {} to {}", key, text, least, most);
  return value;
}

}  // namespace

SyntheticConfig parse_synthetic(std::string_view settings) {
  static const std::vector<std::string> keys = {"classes", "size",       "channels", "train",
                                                "test",    "similarity", "seed"};
  SyntheticConfig config;
  std::vector<std::string_view> seen;
  while (!settings.empty()) {
    const std::string_view setting = settings.substr(0, settings.find(','));
    settings.remove_prefix(std::min(setting.size() + 1, settings.size()));
    const std::size_t equals = setting.find('=');
    require<UsageError>(equals != std::string_view::npos, "synthetic: '{}': expected KEY=VALUE", setting);
    const std::string_view key = setting.substr(0, equals), value = setting.substr(equals + 1);
    require<UsageError>(std::find(seen.begin(), seen.end(), key) == seen.end(),
                        "synthetic: {} is given twice", key);
    seen.push_back(key);
    constexpr int most = std::numeric_limits<std::int32_t>::max();
    if (key == "classes")
      config.classes = parse_number(key, value, 2, 100000);
    else if (key == "size")
      config.size = parse_number(key, value, 1, kMaxPictureExtent);
    else if (key == "channels")
      config.channels = parse_number(key, value, 1, 3);
    else if (key == "train")
      config.train = parse_number(key, value, 1, most);
    else if (key == "test")
      config.test = parse_number(key, value, 1, most);
    else if (key == "similarity")
      config.similarity = parse_number(key, value, 0.0, 0.99);
    else if (key == "seed")
      config.seed = parse_number(key, value, std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
    else
      throw UsageError("synthetic: " + unknown_name(key, "a setting", keys));
  }
  return config;
}

Dataset make_synthetic(const SyntheticConfig& config, const LoadOptions& options) {
  require<UsageError>(config.train >= config.classes,
                      "synthetic: train={} pictures for classes={}: expected one or more a class",
                      config.train, config.classes);
  Dataset dataset{.name = "synthetic", .class_names = {}, .train = {}, .test = {}};
  const PictureShape shape{.height = config.size, .width = config.size, .channels = config.channels};
  dataset.train =
      make_image_set(config.train, shape, config.classes, dataset.name);  // checks memory before any work
  dataset.test = make_image_set(config.test, shape, config.classes, dataset.name);
  for (int i = 0; i < config.classes; ++i) dataset.class_names.push_back(fmt::format("texture-{}", i));
  const std::vector<Texture> textures = make_class_textures(config);
  fill(config, textures, "synthetic train", options.threads, dataset.train);
  fill(config, textures, "synthetic test", options.threads, dataset.test);
  return dataset;
}

}  // namespace gnc
