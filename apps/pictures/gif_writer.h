#pragma once
/// Animations: canvases as the frames of a GIF file.

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "apps/pictures/canvas.h"

struct GifFileType;

namespace gnc {

/// At most 255 colours for all frames of an animation: of the colours in the samples, the most frequent ones
/// as they are, so that areas keep their exact colour, and the rest by median cut. (The 256th is "as
/// before".)
std::vector<Color> quantised_palette(std::span<const Canvas> samples);

/// Encodes frames of one size, each as what changed since the one before; the animation repeats for ever.
/// Throws Error when a frame has another size or giflib fails.
class GifWriter {
 public:
  /// `palette`: 1 to 255 colours.
  GifWriter(int pixel_width, int pixel_height, std::vector<Color> palette);
  GifWriter(const GifWriter&) = delete;
  GifWriter& operator=(const GifWriter&) = delete;
  ~GifWriter();

  /// A frame that stays for `delay` hundredths of a second, in [1, 65535].
  void add(const Canvas& frame, int delay);
  /// The file's bytes; the last call.
  std::string finish();

 private:
  unsigned char nearest(std::uint32_t pixel);

  int width_;
  int height_;
  std::vector<Color> palette_;
  std::unordered_map<std::uint32_t, unsigned char> nearest_;  // of the colours seen so far
  std::vector<unsigned char> shown_;                          // palette index of every pixel
  std::string bytes_;
  GifFileType* file_;
};

struct Animation {
  CanvasSize size;
  std::vector<int> delays;                              ///< of each frame, hundredths of a second
  int colors = 255;                                     ///< at most; fewer make smaller files
  std::function<void(Canvas& canvas, int frame)> draw;  ///< on a white canvas; called twice for some frames
};

/// Draws the frames and writes them as a GIF file, whole or not at all. Throws Error naming the path.
void write_gif(const std::filesystem::path& path, const Animation& animation);

}  // namespace gnc
