#include "tests/support/sentinels.h"

#include <algorithm>
#include <cstring>

namespace gnc::tests {
namespace {

/// Differs from byte to byte, so that a copy from one guard to another is seen as well.
std::byte pattern_at(std::size_t position) { return static_cast<std::byte>((position * 151 + 43) & 0xFF); }

}  // namespace

GuardedTensor::GuardedTensor(MemoryResource& memory, const HostTensor& contents, int runs, Access access)
    : stored_(contents.spec()),
      run_stride_(stored_.storage_elements() + (stored_.shape.runs() > 1 ? kGapElements : 0)),
      access_(access) {
  const std::size_t element = size_of(stored_.dtype);
  const auto stored_runs = static_cast<std::size_t>(stored_.shape.runs());
  const std::size_t run_bytes = contents.bytes().size() / stored_runs;
  const std::size_t stride_bytes = static_cast<std::size_t>(run_stride_) * element;

  image_.resize(kGuardBytes + stride_bytes * stored_runs + kGuardBytes);
  is_payload_.resize(image_.size());
  for (std::size_t i = 0; i < image_.size(); ++i) image_[i] = pattern_at(i);
  for (std::size_t run = 0; run < stored_runs; ++run) {
    const std::size_t start = kGuardBytes + run * stride_bytes;
    if (access == Access::kWrite)
      std::memset(image_.data() + start, 0xFF, run_bytes);  // NaN in fp32, fp64 and bf16
    else if (run_bytes != 0)
      std::memcpy(image_.data() + start, contents.bytes().data() + run * run_bytes, run_bytes);
    std::fill_n(is_payload_.begin() + static_cast<std::ptrdiff_t>(start), run_bytes, true);
  }

  buffer_ = Buffer(memory, image_.size());
  memory.upload(buffer_.data(), image_.data(), image_.size());
  TensorSpec seen = stored_;
  seen.shape = stored_.shape.with_runs(runs);
  const bool is_shared = runs != stored_.shape.runs();
  require<ShapeError>(!is_shared || stored_runs == 1, "contents {} for {} runs", stored_.to_string(), runs);
  view_ = Tensor(seen, static_cast<std::byte*>(buffer_.data()) + kGuardBytes, memory,
                 is_shared ? 0 : run_stride_);
}

std::vector<std::byte> GuardedTensor::downloaded() const {
  std::vector<std::byte> now(image_.size());
  buffer_.memory()->download(now.data(), buffer_.data(), now.size());
  return now;
}

HostTensor GuardedTensor::contents() const {
  const std::vector<std::byte> now = downloaded();
  HostTensor result(stored_);
  const auto runs = static_cast<std::size_t>(stored_.shape.runs());
  const std::size_t run_bytes = result.bytes().size() / runs;
  const std::size_t stride_bytes = static_cast<std::size_t>(run_stride_) * size_of(stored_.dtype);
  for (std::size_t run = 0; run < runs; ++run)
    std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(kGuardBytes + run * stride_bytes), run_bytes,
                result.bytes().begin() + static_cast<std::ptrdiff_t>(run * run_bytes));
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
