#pragma once
/// Batches of images as rows of channels, for batch normalisation on `cpu`.

#include <algorithm>
#include <cstdint>

#include "engine/backends/cpu/support.h"
#include "engine/tensor.h"

// Images lie as rows of channels. Every pass walks over chunks of rows that fit a core's cache, channels
// innermost, so that the compiler vectorises over channels and no sum is ever reassociated. Sums of a chunk
// are fp32; chunks are put together in double, in their order.

namespace gnc::cpu {

/// One run of a batch of images as a matrix [rows, channels].
struct Extents {
  std::int64_t rows;  // pixels of the batch
  std::int64_t channels;
  std::int64_t elements() const { return rows * channels; }
};

inline Extents extents_of(const Shape& x) { return {std::int64_t{x[0]} * x[2] * x[3], x[1]}; }

/// Rows of a chunk: 32 KiB of floats, a core's first-level cache, so that the second pass over a chunk costs
/// no memory traffic; at least 64 rows, so that the partial sums stay few beside the data, and at most 512,
/// so that fp32 sums stay short.
inline Chunks chunks_of(const Extents& extents) {
  constexpr std::int64_t kElements = 8192;
  return {extents.rows, std::clamp<std::int64_t>(kElements / extents.channels, 64, 512)};
}

/// Chunks for passes without sums.
inline Chunks pass_chunks_of(const Extents& extents) {
  return {extents.rows, std::max<std::int64_t>(1, 16384 / extents.channels)};
}

/// Channels of one task when partial sums are put together.
inline Chunks channel_groups(std::int64_t channels) { return {channels, 16}; }

/// The rows of a matrix; of a slice of channels they are further apart than they are long.
template <class Float>
struct Rows {
  Float* data;
  std::int64_t pitch;
  Float& operator()(std::int64_t r, std::int64_t c) const { return data[r * pitch + c]; }
};

inline Rows<const float> rows_of(const ConstTensor& tensor, int run) {
  return {tensor.data<float>(run), tensor.pixel_pitch()};
}
inline Rows<float> rows_of(const Tensor& tensor, int run) {
  return {tensor.data<float>(run), tensor.pixel_pitch()};
}

/// Those of an operand that may be missing: then their data are null.
template <class Operand>
auto given_rows_of(const Operand& operand, int run) {
  return operand ? rows_of(operand, run) : decltype(rows_of(operand, run)){};
}

/// Calls visit(r, c) for every element of rows [begin, end).
template <class Visit>
inline void for_each_element(std::int64_t begin, std::int64_t end, std::int64_t channels,
                             const Visit& visit) {
  for (std::int64_t r = begin; r < end; ++r) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) visit(r, c);
  }
}

/// sums[c] += Σ term(r, c) over rows [begin, end).
template <class Term>
inline void add_rows(std::int64_t begin, std::int64_t end, std::int64_t channels, float* sums,
                     const Term& term) {
  std::int64_t r = begin;
  for (; r + 4 <= end; r += 4) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c)
      sums[c] += (term(r, c) + term(r + 1, c)) + (term(r + 2, c) + term(r + 3, c));
  }
  for_each_element(r, end, channels, [=](std::int64_t row, std::int64_t c) { sums[c] += term(row, c); });
}

/// The running statistics of all channels, moved by those of a batch of `rows` rows.
struct RunningStatistics {
  float* mean;
  float* variance;
  double momentum;  ///< weight of the batch

  void move(std::int64_t channel, double batch_mean, double unbiased_variance) const {
    const auto moved = [&](float before, double batch) {
      return static_cast<float>((1.0 - momentum) * double{before} + momentum * batch);
    };
    mean[channel] = moved(mean[channel], batch_mean);
    variance[channel] = moved(variance[channel], unbiased_variance);
  }
};

/// Per chunk [2][C]: the chunk's mean and its sum of squared deviations from that mean.
inline void chunk_moments(const Extents& extents, const Chunks& chunks, Rows<const float> x, float* moments) {
  const std::int64_t channels = extents.channels;
  parallel_for(chunks.count(), extents.elements(), [&](std::int64_t i) {
    float* mean = moments + 2 * i * channels;
    float* squares = mean + channels;
    std::fill_n(mean, 2 * channels, 0.0F);
    add_rows(chunks.begin(i), chunks.end(i), channels, mean,
             [=](std::int64_t r, std::int64_t c) { return x(r, c); });
    const float size = static_cast<float>(chunks.end(i) - chunks.begin(i));
    for (std::int64_t c = 0; c < channels; ++c) mean[c] /= size;
    add_rows(chunks.begin(i), chunks.end(i), channels, squares, [=](std::int64_t r, std::int64_t c) {
      const float deviation = x(r, c) - mean[c];
      return deviation * deviation;
    });
  });
}

struct Moments {
  double mean;
  double squares;  // Σ (x − mean)²
};

/// Chan, Golub, LeVeque (1983): deviations within the chunks plus those of the chunks' means. No term is ever
/// the small difference of large ones.
inline Moments combined_moments(const Extents& extents, const Chunks& chunks, const float* moments,
                                std::int64_t channel) {
  const std::int64_t stride = 2 * extents.channels;
  const auto size = [&](std::int64_t i) { return static_cast<double>(chunks.end(i) - chunks.begin(i)); };
  double sum = 0.0;
  for (std::int64_t i = 0; i < chunks.count(); ++i) sum += size(i) * double{moments[i * stride + channel]};
  const double mean = sum / static_cast<double>(extents.rows);
  double squares = 0.0;
  for (std::int64_t i = 0; i < chunks.count(); ++i) {
    const double shift = double{moments[i * stride + channel]} - mean;
    squares += double{moments[i * stride + extents.channels + channel]} + size(i) * shift * shift;
  }
  return {mean, squares};
}

}  // namespace gnc::cpu
