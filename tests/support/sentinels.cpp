#include "tests/support/sentinels.h"

#include <algorithm>
#include <cstring>

namespace gnc::tests {
namespace {

/// Differs from byte to byte, so that a copy from one guard to another is seen as well.
std::byte pattern_at(std::size_t position) { return static_cast<std::byte>((position * 151 + 43) & 0xFF); }

}  // namespace

GuardedTensor::GuardedTensor(MemoryResource& memory, const HostTensor& contents, int runs, Access access,
                             std::optional<SliceOf> slice)
    : stored_(contents.spec()),
      slice_(slice.value_or(SliceOf{.channels = stored_.shape[1]})),
      is_slice_(slice.has_value()),
      access_(access) {
  const std::size_t element = size_of(stored_.dtype);
  const int runs_stored = stored_.shape.runs();
  TensorSpec whole = stored_;
  if (is_slice_)
    whole.shape = Shape({stored_.shape[0], slice_.channels, stored_.shape[2], stored_.shape[3]}, runs_stored);
  run_stride_ = whole.storage_elements() + (runs_stored > 1 ? kGapElements : 0);

  image_.resize(2 * kGuardBytes + static_cast<std::size_t>(run_stride_ * runs_stored) * element);
  is_payload_.resize(image_.size());
  for (std::size_t i = 0; i < image_.size(); ++i) image_[i] = pattern_at(i);
  for_each_stretch([&](std::size_t at, std::size_t from, std::size_t bytes) {
    if (access == Access::kWrite || access == Access::kScratch)
      std::memset(image_.data() + at, 0xFF, bytes);  // NaN in fp32, fp64 and bf16
    else if (bytes != 0)
      std::memcpy(image_.data() + at, contents.bytes().data() + from, bytes);
    std::fill_n(is_payload_.begin() + static_cast<std::ptrdiff_t>(at), bytes, true);
  });

  buffer_ = Buffer(memory, image_.size());
  memory.upload(buffer_.data(), image_.data(), image_.size());
  whole.shape = whole.shape.with_runs(runs);
  const bool is_shared = runs != runs_stored;
  require<ShapeError>(!is_shared || runs_stored == 1, "contents {} for {} runs", stored_.to_string(), runs);
  view_ = Tensor(whole, static_cast<std::byte*>(buffer_.data()) + kGuardBytes, memory,
                 is_shared ? 0 : run_stride_);
  if (is_slice_) view_ = view_.channels(slice_.first, stored_.shape[1]);
}

template <class Visit>
void GuardedTensor::for_each_stretch(const Visit& visit) const {
  const std::size_t element = size_of(stored_.dtype);
  const auto runs = static_cast<std::size_t>(stored_.shape.runs());
  const std::size_t run_bytes = static_cast<std::size_t>(stored_.storage_elements()) * element;
  const std::size_t pitch = static_cast<std::size_t>(slice_.channels) * element;
  const std::size_t stretch = is_slice_ ? static_cast<std::size_t>(stored_.shape[1]) * element : run_bytes;
  for (std::size_t run = 0; run < runs; ++run) {
    const std::size_t start = kGuardBytes + static_cast<std::size_t>(run_stride_) * run * element +
                              static_cast<std::size_t>(slice_.first) * element;
    const std::size_t stretches = is_slice_ ? run_bytes / stretch : 1;
    for (std::size_t i = 0; i < stretches; ++i)
      visit(start + i * pitch, run * run_bytes + i * stretch, stretch);
  }
}

std::vector<std::byte> GuardedTensor::downloaded() const {
  std::vector<std::byte> now(image_.size());
  buffer_.memory()->download(now.data(), buffer_.data(), now.size());
  return now;
}

HostTensor GuardedTensor::contents() const {
  const std::vector<std::byte> now = downloaded();
  HostTensor result(stored_);
  for_each_stretch([&](std::size_t at, std::size_t to, std::size_t bytes) {
    std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(at), bytes,
                result.bytes().begin() + static_cast<std::ptrdiff_t>(to));
  });
  return result;
}

std::vector<std::string> GuardedTensor::faults() const {
  std::vector<std::string> faults;
  const std::vector<std::byte> now = downloaded();
  const auto offset_from_start = [](std::size_t i) {
    return static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(kGuardBytes);
  };
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (is_payload_[i] || now[i] == image_[i]) continue;
    faults.push_back(
        fmt::format("byte {} from its start is outside it and was overwritten", offset_from_start(i)));
    break;
  }
  for (std::size_t i = 0; i < now.size() && access_ == Access::kRead; ++i) {
    if (!is_payload_[i] || now[i] == image_[i]) continue;
    faults.push_back(fmt::format("byte {} of it changed, but the op may only read it", offset_from_start(i)));
    break;
  }
  // What row-major order cannot hold is padding; a way there and back leaves zeros in its place.
  const HostTensor stored = contents();
  const HostTensor padded = stored.in_layout(Layout::kRowMajor).in_layout(stored_.layout);
  if (!std::equal(stored.bytes().begin(), stored.bytes().end(), padded.bytes().begin()))
    faults.push_back(fmt::format("the padding of its layout {} is not zero", to_string(stored_.layout)));
  return faults;
}

}  // namespace gnc::tests
