#pragma once
/// What tests of attacks share: linear networks, of which the best attack is known, and backends to attack
/// on.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "engine/attacks/robustness.h"
#include "engine/bfloat16.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/parameter_arena.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

inline constexpr int kRuns = 2, kBatch = 5;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline const Shape kPictures{kBatch, 2, 3, 3};
inline constexpr int kPixels = 18;

/// Linear networks z = W·x + b, one per run, on pictures that all runs share; x = u·scale + offset. Channels
/// lie innermost in memory and outermost in W's rows, so that an index mixed up would show. On a backend in
/// bf16 what the network sees, x, and gradients in it are rounded to bf16; pictures, W, b and logits are
/// fp32.
class LinearProblem {
 public:
  LinearProblem(Backend& backend, DType dtype, int classes, double lowest, double highest)
      : backend_(backend),
        dtype_(dtype),
        image_dtype_(dtype == DType::kF64 ? dtype : backend.image_dtype()),
        classes_(classes),
        network_(std::make_unique<Flatten>(),
                 std::make_unique<Linear>(Linear::Options{.in_features = kPixels, .out_features = classes}),
                 kPixels, classes),
        parameters_(network_, backend, kRuns, dtype),
        arena_(backend.memory(), std::size_t{1} << 20) {
    for (int run = 0; run < kRuns; ++run) {
      weights_.push_back(
          fill(parameters_.find("classifier.weight").parameter->value, run, {classes, kPixels}, "W", -1, 1));
      biases_.push_back(
          fill(parameters_.find("classifier.bias").parameter->value, run, {classes}, "b", -1, 1));
    }
    u_ = numbers("u", kPictures, 0, lowest, highest);
    const Shape one = kPictures.with_batch(1);
    scale_ = numbers("scale", one, 0, 0.5, 4);
    offset_ = numbers("offset", one, 0, -1, 1);
    std::vector<double> x(u_.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = u_[i] * scale_[i % kPixels] + offset_[i % kPixels];
    clean_device_ = put(kPictures, u_);
    x_device_ = put_image(x);
    scale_device_ = put(one, scale_);
    offset_device_ = put(one, offset_);
    HostTensor labels({.shape = {kBatch}, .dtype = DType::kI32});
    for (int b = 0; b < kBatch; ++b) labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = label(b);
    labels_device_ = upload(backend.memory(), labels);
    start_device_ = put_image(numbers("start", kPictures, 0, -1, 1));
  }

  AttackTarget target() {
    return {.network = network_,
            .backend = backend_,
            .arena = arena_,
            .runs = kRuns,
            .x = x_device_.view().shared_by(kRuns),
            .clean = clean_device_.view().shared_by(kRuns),
            .labels = labels_device_.view().shared_by(kRuns),
            .scale = scale_device_.view().shared_by(kRuns),
            .offset = offset_device_.view().shared_by(kRuns)};
  }
  ConstTensor start() const { return start_device_.view().shared_by(kRuns); }
  int label(int b) const { return b % classes_; }

  /// Margins [kRuns,kBatch], infinite before.
  DeviceTensor margins() const {
    HostTensor host({.shape = Shape({kBatch}, kRuns), .dtype = dtype_});
    if (dtype_ == DType::kF64)
      std::ranges::fill(host.values<double>(), kInfinity);
    else
      std::ranges::fill(host.values<float>(), std::numeric_limits<float>::infinity());
    return upload(backend_.memory(), host);
  }
  /// All runs, row-major.
  std::vector<double> read(const Tensor& tensor) {
    backend_.synchronize();
    return as_doubles(download(tensor).in_layout(Layout::kRowMajor));
  }

  void set_bias(int run, int k, double value) {
    biases_[at(run)][at(k)] = value;
    parameters_.write(parameters_.find("classifier.bias").parameter->value, run,
                      host({classes_}, biases_[at(run)]));
  }
  double logit(int run, int b, int k) const {
    double sum = biases_[at(run)][at(k)];
    for (int i = 0; i < kPixels; ++i) sum += weight(run, k, i) * seen(u(b, i), i);
    return sum;
  }
  /// x of pixel i of a picture.
  double seen(double pixel, int i) const { return rounded(pixel * scale_[at(i)] + offset_[at(i)]); }
  /// By how much x may differ from that where the backend, which has it in fp32 first (a product and a sum of
  /// at most 5), comes to lie on the other side of the middle between two numbers in bf16.
  double doubt(double pixel, int i) const {
    const double x = pixel * scale_[at(i)] + offset_[at(i)], error = 4 * kUnitRoundoff * 5;
    return rounded(x + error) - rounded(x - error);
  }
  /// Of what the network sees, and of gradients in it, relative.
  double image_rounding() const { return image_dtype_ == DType::kBf16 ? kBf16UnitRoundoff : 0; }
  double u(int b, int i) const { return u_[at(b * kPixels + i)]; }
  double weight(int run, int k, int i) const { return weights_[at(run)][at(k * kPixels + i)]; }
  /// Of z_k − z_j in pixel i of the picture.
  double slope(int run, int k, int j, int i) const {
    return (weight(run, k, i) - weight(run, j, i)) * scale_[at(i)];
  }
  int predicted(int run, int b) const {
    int best = 0;
    for (int k = 1; k < classes_; ++k)
      if (logit(run, b, k) > logit(run, b, best)) best = k;
    return best;
  }
  /// Distances to the boundaries of the class predicted, the nearest first.
  std::vector<double> distances(int run, int b) const {
    const int from = predicted(run, b);
    std::vector<double> all;
    for (int k = 0; k < classes_; ++k) {
      if (k == from) continue;
      double square = 0;
      for (int i = 0; i < kPixels; ++i) square += std::pow(slope(run, k, from, i), 2);
      all.push_back((logit(run, b, from) - logit(run, b, k)) / std::sqrt(square));
    }
    std::ranges::sort(all);
    return all;
  }
  /// What rounding may do to a logit: the sum of 19 terms of at most |W|·|x| = 5, two roundings each, of
  /// margins twice that, and as much again for the moved picture.
  double rounding() const {
    return dtype_ == DType::kF64 ? 1e-12 : 4 * (rounding_growth(kPixels + 1) + 3) * kUnitRoundoff * 19 * 5;
  }

  /// And to a picture of at most 1.3 before the box: one product and two sums.
  double picture_rounding() const { return dtype_ == DType::kF64 ? 1e-15 : 4 * kUnitRoundoff; }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  /// Row-major, numbers that fp32 holds.
  static std::vector<double> numbers(std::string_view name, const Shape& shape, int run, double low,
                                     double high) {
    const RandomStream stream(4, name, static_cast<std::uint64_t>(run));
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(low + (high - low) * stream.uniform(i));
    return values;
  }
  HostTensor host(const Shape& shape, const std::vector<double>& values) const {
    HostTensor tensor({.shape = shape, .dtype = dtype_});
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (dtype_ == DType::kF64)
        tensor.values<double>()[i] = values[i];
      else
        tensor.values<float>()[i] = static_cast<float>(values[i]);
    }
    return tensor;
  }
  double rounded(double x) const {
    return image_dtype_ == DType::kBf16 ? double{Bf16::from_double(x).to_float()} : x;
  }
  DeviceTensor put_image(const std::vector<double>& values) const {
    const HostTensor wide = host(kPictures, values);
    const HostTensor image = image_dtype_ == DType::kBf16 ? as_real(wide, DType::kBf16) : wide;
    return upload(backend_.memory(), image.in_layout(backend_.image_layout()));
  }
  DeviceTensor put(const Shape& shape, const std::vector<double>& values) const {
    return upload(backend_.memory(), host(shape, values).in_layout(backend_.image_layout()));
  }
  std::vector<double> fill(const Tensor& parameter, int run, const Shape& shape, std::string_view name,
                           double low, double high) {
    const std::vector<double> values = numbers(name, shape, run, low, high);
    parameters_.write(parameter, run, host(shape, values));
    return values;
  }

  Backend& backend_;
  DType dtype_;
  DType image_dtype_;
  int classes_;
  Network network_;
  ParameterArena parameters_;
  Arena arena_;
  std::vector<std::vector<double>> weights_, biases_;
  std::vector<double> u_, scale_, offset_;
  DeviceTensor clean_device_, x_device_, scale_device_, offset_device_, labels_device_, start_device_;
};

/// Every backend in fp32, and the oracle in double.
inline void for_each_precision(const std::function<void(Backend&, DType)>& body) {
  body(backend_named("reference"), DType::kF64);
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    body(backend, DType::kF32);
  });
}

/// All of them, and the backends that have images in bf16.
inline void for_each_image_precision(const std::function<void(Backend&, DType)>& body) {
  for_each_precision(body);
  for (const BackendChoice& choice : backend_choices()) {
    if (choice.precision != Precision::kBf16) continue;
    SCOPED_TRACE(choice.to_string());
    body(backend_named(choice.device, choice.precision), DType::kF32);
  }
}

}  // namespace gnc::tests
