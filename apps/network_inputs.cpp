#include "apps/network_inputs.h"

#include <numeric>

namespace gnc {

std::vector<float> network_inputs(const BatchSource& source, std::span<const int> indices) {
  const HostTensor& pixels = source.images().pixels;
  const Shape& shape = pixels.shape();
  const auto stored = pixels.values<std::uint8_t>();
  const auto scale = source.normalization().scale.values<float>();
  const auto offset = source.normalization().offset.values<float>();
  const Shape image = shape.with_batch(1);
  std::vector<float> inputs;
  inputs.reserve(indices.size() * scale.size());
  for (const int n : indices)
    for (int c = 0; c < shape[1]; ++c)
      for (int h = 0; h < shape[2]; ++h)
        for (int w = 0; w < shape[3]; ++w) {
          const auto at = static_cast<std::size_t>(offset_of(shape, pixels.spec().layout, n, c, h, w));
          const auto pixel = static_cast<std::size_t>(
              offset_of(image, source.normalization().scale.spec().layout, 0, c, h, w));
          inputs.push_back(
              static_cast<float>(stored[at] / 255.0 * double{scale[pixel]} + double{offset[pixel]}));
        }
  return inputs;
}

std::vector<float> network_inputs(const BatchSource& source) {
  std::vector<int> indices(static_cast<std::size_t>(source.images().size()));
  std::iota(indices.begin(), indices.end(), 0);
  return network_inputs(source, indices);
}

}  // namespace gnc
