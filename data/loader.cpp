#include "data/loader.h"

#include <numeric>
#include <utility>

#include "engine/error.h"
#include "engine/random.h"

namespace gnc {

bool has_flips(Augmentation augmentation) {
  return augmentation == Augmentation::kFlip || augmentation == Augmentation::kFlipCrop;
}

bool has_crops(Augmentation augmentation) {
  return augmentation == Augmentation::kCrop || augmentation == Augmentation::kFlipCrop;
}

Loader::Loader(std::shared_ptr<const ImageSet> images, std::shared_ptr<const Normalization> normalization,
               const Config& config)
    : images_(std::move(images)), normalization_(std::move(normalization)), config_(config) {
  require<UsageError>(images_->size() > 0, "a data set without pictures cannot be loaded");
}

EpochOrder Loader::order(std::uint64_t seed, int epoch) const {
  std::future<EpochOrder> ready;
  {
    const std::lock_guard lock(mutex_);
    Ahead& ahead = ahead_[seed];
    if (ahead.order.valid() && ahead.epoch == epoch) ready = std::move(ahead.order);
  }
  // get() rethrows what went wrong in the thread. An epoch that nobody expected (the first, a resume) is made
  // here.
  EpochOrder result = ready.valid() ? ready.get() : make_order(seed, epoch);
  const std::lock_guard lock(mutex_);
  Ahead& ahead = ahead_[seed];
  const int next = epoch + 1;
  if (!ahead.order.valid() || ahead.epoch != next)
    ahead = {.epoch = next,
             .order = std::async(std::launch::async, [=, this] { return make_order(seed, next); })};
  return result;
}

EpochOrder Loader::make_order(std::uint64_t seed, int epoch) const {
  const int count = images_->size();
  const auto stream = static_cast<std::uint64_t>(epoch);
  EpochOrder order;
  if (config_.sample_order == SampleOrder::kShuffled) {
    order.indices = RandomStream(seed, "shuffle", stream).permutation(count);
  } else {
    order.indices.resize(static_cast<std::size_t>(count));
    std::iota(order.indices.begin(), order.indices.end(), 0);
  }
  order.flips.resize(order.indices.size());
  if (has_flips(config_.augmentation)) {
    const RandomStream coins(seed, "flip", stream);
    for (std::size_t i = 0; i < order.flips.size(); ++i)
      order.flips[i] =
          static_cast<std::uint8_t>(coins.bits(static_cast<std::uint64_t>(order.indices[i]))[0] & 1u);
  }
  if (has_crops(config_.augmentation)) {
    constexpr int kPlaces = 2 * kCropPadding + 1;  // along each axis
    const RandomStream crops(seed, "crop", stream);
    order.shifts.reserve(order.indices.size());
    for (const std::int32_t index : order.indices) {
      const auto place = static_cast<int>(crops.below(static_cast<std::uint64_t>(index), kPlaces * kPlaces));
      order.shifts.push_back(
          {.rows = place / kPlaces - kCropPadding, .columns = place % kPlaces - kCropPadding});
    }
  }
  return order;
}

}  // namespace gnc
