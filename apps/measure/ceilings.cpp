#include "apps/measure/ceilings.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "apps/measure/stopwatch.h"
#include "engine/backends/device/cuda_device.h"
#include "engine/random.h"

namespace gnc {
namespace {

/// Many, each short: on a machine with other work one of them has it to itself.
constexpr int kTries = 20;
/// On the host no shorter than this all together: a scheduler gives others the processor for some
/// milliseconds at a time, which would hold all tries of a short work.
constexpr double kLeastSeconds = 0.3;

/// Shortest time on the host of at least kTries in at least kLeastSeconds, after one more to warm up.
template <class Work>
double shortest(const Work& work) {
  work();
  double best = std::numeric_limits<double>::infinity();
  const double first = seconds_now();
  double end = first;
  for (int tries = 0; tries < kTries || end - first < kLeastSeconds; ++tries) {
    const double start = seconds_now();
    work();
    end = seconds_now();
    best = std::min(best, end - start);
  }
  return best;
}

/// Copies between host arrays, every thread its own part.
double host_copy_rate() {
  constexpr std::size_t kBytes = std::size_t{128} << 20;
  const std::unique_ptr<std::byte[]> from(new std::byte[kBytes]), to(new std::byte[kBytes]);
  std::memset(from.get(), 1, kBytes);
  std::memset(to.get(), 2, kBytes);
  const double seconds = shortest([&] {
#pragma omp parallel
    {
      const auto threads = static_cast<std::size_t>(omp_get_num_threads());
      const auto thread = static_cast<std::size_t>(omp_get_thread_num());
      const std::size_t first = kBytes / threads * thread;
      const std::size_t end = thread + 1 == threads ? kBytes : first + kBytes / threads;
      std::memcpy(to.get() + first, from.get() + first, end - first);
    }
  });
  return 2.0 * kBytes / seconds;
}

/// Shortest execution of a few on a GPU, by its own clock, after one more to warm up.
template <class Work>
double shortest_on_device(Backend& backend, const Work& work) {
  work();
  double best = cuda_seconds(backend, work);
  for (int i = 1; i < kTries; ++i) best = std::min(best, cuda_seconds(backend, work));
  return best;
}

/// Of random numbers: a GPU needs less power, and so runs faster, on bits that do not change.
DeviceTensor random_tensor(Backend& backend, const TensorSpec& spec) {
  const RandomStream stream(1, "ceilings");
  std::vector<float> values(static_cast<std::size_t>(spec.shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(stream.uniform(i) - 0.5);
  const DeviceTensor plain = upload(backend.memory(), HostTensor(spec.shape, values));
  DeviceTensor tensor(backend.memory(), spec);
  backend.run(ConvertLayout{.x = plain.view(), .y = tensor.view()});
  backend.synchronize();
  return tensor;
}

double device_copy_rate(Backend& backend) {
  constexpr int kMebibyteRows = 256;
  const TensorSpec spec{.shape = {kMebibyteRows, 1 << 20}};
  const DeviceTensor from = random_tensor(backend, spec);
  const DeviceTensor to(backend.memory(), spec);
  const double seconds = shortest_on_device(
      backend, [&] { backend.memory().copy(to.view().raw(), from.view().raw(), spec.bytes()); });
  return 2.0 * static_cast<double>(spec.bytes()) / seconds;
}

/// C = A·B of [extent,extent] each, as `seconds_of` measures the work.
template <class Seconds>
double gemm_rate(Backend& backend, int extent, const Seconds& seconds_of) {
  const TensorSpec spec{.shape = {extent, extent}};
  const DeviceTensor a = random_tensor(backend, spec), b = random_tensor(backend, spec);
  const DeviceTensor c(backend.memory(), spec);
  const Gemm product{.a = a.view(), .b = b.view(), .c = c.view()};
  const double seconds = seconds_of([&] { backend.run(product); });
  return 2.0 * extent * extent * extent / seconds;
}

/// [pixels, channels] times [channels, channels].
double convolution_rate(Backend& backend) {
  constexpr int kChannels = 4096, kExtent = 64;
  const Conv2dGeometry geometry{.kernel = 1, .stride = 1, .padding = 0};
  const DType dtype = backend.image_dtype();
  const TensorSpec images{
      .shape = {1, kChannels, kExtent, kExtent}, .dtype = dtype, .layout = backend.image_layout()};
  const Shape weights_shape{kChannels, kChannels, 1, 1};
  const DeviceTensor x = random_tensor(backend, images);
  const DeviceTensor weights = random_tensor(
      backend, {.shape = weights_shape, .dtype = dtype, .layout = backend.weights_layout(weights_shape)});
  const DeviceTensor y(backend.memory(), images);
  const Conv2dForward product{.geometry = geometry, .x = x.view(), .weights = weights.view(), .y = y.view()};
  const double seconds = shortest_on_device(backend, [&] { backend.run(product); });
  return 2.0 * kExtent * kExtent * kChannels * kChannels / seconds;
}

}  // namespace

double Ceilings::floor_seconds(double flops, double bytes) const {
  return std::max(flops / flops_per_second, bytes / bytes_per_second);
}

bool has_ceilings(std::string_view device) { return device == "cpu" || device == "cuda"; }

Ceilings measure_ceilings(const std::string& device, Precision precision) {
  require<UsageError>(has_ceilings(device),
                      "--device {}: times of it say nothing of a machine; expected cpu or cuda", device);
  const bool is_convolution = device == "cuda" && precision == Precision::kBf16;
  const std::unique_ptr<Backend> backend = open_backend(
      device,
      {.precision = precision, .convolution = is_convolution ? Convolution::kCudnn : Convolution::kOwn});
  if (device == "cpu")
    return {.bytes_per_second = host_copy_rate(),
            .flops_per_second = gemm_rate(*backend, 768, [](const auto& work) { return shortest(work); })};
  const double rate =
      is_convolution
          ? convolution_rate(*backend)
          : gemm_rate(*backend, 8192, [&](const auto& work) { return shortest_on_device(*backend, work); });
  const std::string obstacle = library_obstacle(*backend);
  require<BackendError>(obstacle.empty(), "no library computed the matrix product: {}", obstacle);
  return {.bytes_per_second = device_copy_rate(*backend), .flops_per_second = rate};
}

}  // namespace gnc
