#include "engine/device_images.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "engine/ops/op.h"

namespace gnc {
namespace {

/// The float array of a Normalization in the dtype that AugmentNormalize wants it in.
HostTensor as_dtype(const HostTensor& values, DType dtype) {
  if (dtype == DType::kF32) return values;
  HostTensor result(TensorSpec{.shape = values.shape(), .dtype = dtype, .layout = values.spec().layout});
  const auto from = values.values<float>();
  std::copy(from.begin(), from.end(), result.values<double>().begin());
  return result;
}

}  // namespace

DeviceImages::DeviceImages(Backend& backend, const BatchSource& source, const Options& options)
    : backend_(backend), source_(source), options_(options) {
  const ImageSet& images = source.images();
  for (std::size_t i = 0; i < images.labels.size(); ++i)
    require<Error>(images.labels[i] >= 0 && images.labels[i] < images.num_classes,
                   "label {} of sample {} is outside [0,{})", images.labels[i], i, images.num_classes);
  require<Error>(images.size() == static_cast<int>(images.labels.size()) && images.size() > 0,
                 "a data set of {} pictures has {} labels", images.size(), images.labels.size());
  if (backend.memory().is_host()) {
    pixels_ = ConstTensor(images.pixels.spec(), images.pixels.bytes().data(), backend.memory());
  } else {
    pixel_copy_ = upload(backend.memory(), images.pixels);
    pixels_ = pixel_copy_.view();
  }
  scale_ = upload(backend.memory(), as_dtype(source.normalization().scale, dtype_beside(options.dtype)));
  offset_ = upload(backend.memory(), as_dtype(source.normalization().offset, dtype_beside(options.dtype)));
  epoch_ = samples(size());
  current_ = samples(options.batch_size);
  set_plain_order();
}

DeviceImages::Samples DeviceImages::samples(int count) const {
  MemoryResource& memory = backend_.memory();
  const Shape shape({count}, options_.max_orders);
  return {
      .indices = DeviceTensor(memory, {.shape = shape, .dtype = DType::kI32}),
      .flips = DeviceTensor(memory, {.shape = shape, .dtype = DType::kU8}),
      .shifts = DeviceTensor(memory, {.shape = Shape({count, 2}, options_.max_orders), .dtype = DType::kI32}),
      .labels = DeviceTensor(memory, {.shape = shape, .dtype = DType::kI32})};
}

std::size_t DeviceImages::Samples::bytes() const {
  return indices.view().spec().bytes() + flips.view().spec().bytes() + shifts.view().spec().bytes() +
         labels.view().spec().bytes();
}

void DeviceImages::set_plain_order() {
  EpochOrder order;
  order.indices.resize(static_cast<std::size_t>(size()));
  std::iota(order.indices.begin(), order.indices.end(), 0);
  order.flips.assign(order.indices.size(), 0);
  set_orders({order});
}

void DeviceImages::set_orders(const std::vector<EpochOrder>& orders) {
  const ImageSet& images = source_.images();
  orders_ = static_cast<int>(orders.size());
  require<Error>(orders_ >= 1 && orders_ <= options_.max_orders, "{} orders where there is room for {}",
                 orders_, options_.max_orders);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(size()));
  const std::vector<CropShift> no_shifts(labels.size());
  const int height = images.pixels.shape()[2], width = images.pixels.shape()[3];
  for (int run = 0; run < orders_; ++run) {
    const EpochOrder& order = orders[static_cast<std::size_t>(run)];
    require<Error>(order.indices.size() == labels.size() && order.flips.size() == labels.size(),
                   "an order of {} samples for a data set of {}", order.indices.size(), labels.size());
    require<Error>(order.shifts.empty() || order.shifts.size() == labels.size(),
                   "an order of {} samples with {} shifts", labels.size(), order.shifts.size());
    for (const CropShift& shift : order.shifts)
      require<Error>(std::abs(shift.rows) <= height && std::abs(shift.columns) <= width,
                     "a crop is shifted by {} rows and {} columns of pictures of {}x{}", shift.rows,
                     shift.columns, height, width);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::int32_t index = order.indices[i];
      require<Error>(index >= 0 && index < size(), "position {} of an order asks for sample {} of {}", i,
                     index, size());
      labels[i] = images.labels[static_cast<std::size_t>(index)];
    }
    MemoryResource& memory = backend_.memory();
    memory.upload(epoch_.indices.view().run(run).raw(), order.indices.data(),
                  order.indices.size() * sizeof(std::int32_t));
    memory.upload(epoch_.labels.view().run(run).raw(), labels.data(), labels.size() * sizeof(std::int32_t));
    memory.upload(epoch_.flips.view().run(run).raw(), order.flips.data(), order.flips.size());
    static_assert(sizeof(CropShift) == 2 * sizeof(std::int32_t));
    memory.upload(epoch_.shifts.view().run(run).raw(),
                  (order.shifts.empty() ? no_shifts : order.shifts).data(),
                  labels.size() * sizeof(CropShift));
  }
}

ConstTensor DeviceImages::first(const DeviceTensor& samples, int count) const {
  const Tensor& whole = samples.view();
  const TensorSpec spec{.shape = whole.shape().with_batch(count).with_runs(orders_), .dtype = whole.dtype()};
  return ConstTensor(spec, whole.raw(), *whole.memory(), whole.run_stride());
}

int DeviceImages::select(int step) {
  const int first_sample = step * options_.batch_size;
  const int count = std::min(options_.batch_size, size() - first_sample);
  require<Error>(step >= 0 && count > 0, "batch {} of {} samples in batches of {}", step, size(),
                 options_.batch_size);
  const auto take = [&](const DeviceTensor& from, const DeviceTensor& to) {
    const Shape& shape = from.view().shape();
    const std::size_t sample =
        size_of(from.view().dtype()) * static_cast<std::size_t>(shape.elements() / shape[0]);
    for (int run = 0; run < orders_; ++run)
      backend_.memory().copy(to.view().run(run).raw(),
                             static_cast<const std::byte*>(from.view().run(run).raw()) +
                                 static_cast<std::size_t>(first_sample) * sample,
                             static_cast<std::size_t>(count) * sample);
  };
  take(epoch_.indices, current_.indices);
  take(epoch_.flips, current_.flips);
  take(epoch_.shifts, current_.shifts);
  take(epoch_.labels, current_.labels);
  return count;
}

DeviceImages::Batch DeviceImages::batch(int count, int runs, Pass& pass) const {
  const int orders = orders_;
  require<Error>(orders == 1 || orders == runs, "{} orders for {} runs", orders, runs);
  require<Error>(count >= 1 && count <= options_.batch_size,
                 "a batch of {} samples where there is room for {}", count, options_.batch_size);
  LeasedTensor images = pass.lease({.shape = pixels_.shape().with_batch(count).with_runs(orders),
                                    .dtype = options_.dtype,
                                    .layout = backend_.image_layout()});
  pass.backend().run(AugmentNormalize{.pixels = pixels_.shared_by(orders),
                                      .indices = first(current_.indices, count),
                                      .flips = first(current_.flips, count),
                                      .shifts = first(current_.shifts, count),
                                      .scale = scale_.view().shared_by(orders),
                                      .offset = offset_.view().shared_by(orders),
                                      .y = images.tensor()});
  const ConstTensor labels = first(current_.labels, count);
  if (orders == runs) return {std::move(images), labels};
  return {images.viewed_as(images.tensor().shared_by(runs)), labels.shared_by(runs)};
}

std::size_t DeviceImages::bytes() const {
  return pixels_.spec().bytes() + scale_.view().spec().bytes() + offset_.view().spec().bytes() +
         epoch_.bytes() + current_.bytes();
}

int distinct_orders(std::span<const std::uint64_t> seeds) {
  const bool is_shared = std::ranges::all_of(seeds, [&](auto seed) { return seed == seeds.front(); });
  return is_shared ? 1 : static_cast<int>(seeds.size());
}

std::vector<int> batch_sizes(int size, int batch_size) {
  std::vector<int> sizes = {std::min(size, batch_size)};
  if (size > batch_size && size % batch_size != 0) sizes.push_back(size % batch_size);
  return sizes;
}

}  // namespace gnc
