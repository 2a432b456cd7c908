#include "engine/device_images.h"

#include <algorithm>
#include <numeric>

#include "engine/ops/op.h"

namespace gnc {
namespace {

/// The float array of a Normalization in the dtype that NormalizeFlip wants it in.
HostTensor as_dtype(const HostTensor& values, DType dtype) {
  if (dtype == DType::kF32) return values;
  HostTensor result(TensorSpec{.shape = values.shape(), .dtype = dtype, .layout = values.spec().layout});
  const auto from = values.values<float>();
  std::copy(from.begin(), from.end(), result.values<double>().begin());
  return result;
}

}  // namespace

DeviceImages::DeviceImages(Backend& backend, const BatchSource& source, DType dtype, int max_orders)
    : backend_(backend), source_(source), dtype_(dtype) {
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
  scale_ = upload(backend.memory(), as_dtype(source.normalization().scale, dtype_beside(dtype)));
  offset_ = upload(backend.memory(), as_dtype(source.normalization().offset, dtype_beside(dtype)));
  const Shape shape({size()}, max_orders);
  indices_ = DeviceTensor(backend.memory(), {.shape = shape, .dtype = DType::kI32});
  labels_ = DeviceTensor(backend.memory(), {.shape = shape, .dtype = DType::kI32});
  flips_ = DeviceTensor(backend.memory(), {.shape = shape, .dtype = DType::kU8});
  set_plain_order();
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
  require<Error>(orders_ >= 1 && orders_ <= indices_.view().runs(), "{} orders where there is room for {}",
                 orders_, indices_.view().runs());
  std::vector<std::int32_t> labels(static_cast<std::size_t>(size()));
  for (int run = 0; run < orders_; ++run) {
    const EpochOrder& order = orders[static_cast<std::size_t>(run)];
    require<Error>(order.indices.size() == labels.size() && order.flips.size() == labels.size(),
                   "an order of {} samples for a data set of {}", order.indices.size(), labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::int32_t index = order.indices[i];
      require<Error>(index >= 0 && index < size(), "position {} of an order asks for sample {} of {}", i,
                     index, size());
      labels[i] = images.labels[static_cast<std::size_t>(index)];
    }
    MemoryResource& memory = backend_.memory();
    memory.upload(indices_.view().run(run).raw(), order.indices.data(),
                  order.indices.size() * sizeof(std::int32_t));
    memory.upload(labels_.view().run(run).raw(), labels.data(), labels.size() * sizeof(std::int32_t));
    memory.upload(flips_.view().run(run).raw(), order.flips.data(), order.flips.size());
  }
}

ConstTensor DeviceImages::slice(const Tensor& whole, int first, int count) const {
  const TensorSpec spec{.shape = Shape({count}, orders_), .dtype = whole.dtype()};
  const auto* start =
      static_cast<const std::byte*>(whole.raw()) + static_cast<std::size_t>(first) * size_of(whole.dtype());
  return ConstTensor(spec, start, *whole.memory(), whole.run_stride());
}

DeviceImages::Batch DeviceImages::batch(int step, int batch_size, int runs, Pass& pass) const {
  const int first = step * batch_size;
  const int count = std::min(batch_size, size() - first);
  require<Error>(step >= 0 && count > 0, "batch {} of {} samples in batches of {}", step, size(), batch_size);
  const int orders = orders_;
  require<Error>(orders == 1 || orders == runs, "{} orders for {} runs", orders, runs);
  LeasedTensor images = pass.lease({.shape = pixels_.shape().with_batch(count).with_runs(orders),
                                    .dtype = dtype_,
                                    .layout = backend_.image_layout()});
  pass.backend().run(NormalizeFlip{.pixels = pixels_.shared_by(orders),
                                   .indices = slice(indices_.view(), first, count),
                                   .flips = slice(flips_.view(), first, count),
                                   .scale = scale_.view().shared_by(orders),
                                   .offset = offset_.view().shared_by(orders),
                                   .y = images.tensor()});
  const ConstTensor labels = slice(labels_.view(), first, count);
  if (orders == runs) return {std::move(images), labels};
  return {images.viewed_as(images.tensor().shared_by(runs)), labels.shared_by(runs)};
}

std::size_t DeviceImages::bytes() const {
  std::size_t sum = pixels_.spec().bytes();
  for (const DeviceTensor* tensor : {&scale_, &offset_, &indices_, &flips_, &labels_})
    sum += tensor->view().spec().bytes();
  return sum;
}

}  // namespace gnc
