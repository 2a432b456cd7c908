#include "data/subset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "engine/error.h"

namespace gnc {

std::vector<int> first_of_each_class(const ImageSet& images, std::span<const std::int64_t> per_class) {
  std::vector<std::int64_t> taken(per_class.size());
  std::vector<int> indices;
  for (int i = 0; i < images.size(); ++i) {
    const auto c = static_cast<std::size_t>(images.labels[static_cast<std::size_t>(i)]);
    if (taken[c] == per_class[c]) continue;
    ++taken[c];
    indices.push_back(i);
  }
  return indices;
}

ImageSet class_subset(const ImageSet& images, std::span<const std::int64_t> per_class,
                      std::span<const std::string> class_names, std::string_view flag) {
  const std::vector<std::int64_t> available = class_counts(images);
  std::int64_t total = 0;
  for (std::size_t c = 0; c < available.size(); ++c) {
    require<UsageError>(available[c] >= per_class[c], "{} wants {} pictures of class '{}', which has {}",
                        flag, per_class[c], class_names[c], available[c]);
    total += per_class[c];
  }
  ImageSet subset = make_image_set(total, shape_of(images), images.num_classes, std::string(flag));
  std::int64_t next = 0;
  for (const int i : first_of_each_class(images, per_class)) {
    const auto source = picture(images, i);
    std::memcpy(picture(subset, next).data(), source.data(), source.size());
    subset.labels[static_cast<std::size_t>(next++)] = images.labels[static_cast<std::size_t>(i)];
  }
  return subset;
}

ImageSet balanced_subset(const ImageSet& images, std::int64_t limit, std::span<const std::string> class_names,
                         std::string_view flag) {
  require<UsageError>(limit >= images.num_classes,
                      "{} is {}, expected at least one picture for each of {} classes", flag, limit,
                      images.num_classes);
  const std::vector<std::int64_t> per_class(class_names.size(), limit / images.num_classes);
  return class_subset(images, per_class, class_names, flag);
}

StepImbalance parse_imbalance(std::string_view text) {
  StepImbalance result;
  const char* const end = text.data() + text.size();
  const auto ratio = std::from_chars(text.data(), end, result.ratio);
  bool is_good = ratio.ec == std::errc() && std::isfinite(result.ratio) && result.ratio >= 1;
  if (is_good && ratio.ptr != end) {
    const auto classes = std::from_chars(ratio.ptr + 1, end, result.majority_classes);
    is_good =
        *ratio.ptr == ':' && classes.ec == std::errc() && classes.ptr == end && result.majority_classes >= 1;
  }
  require<UsageError>(
      is_good, "'{}' is not an imbalance; expected R or R:C1, a ratio R >= 1 and C1 >= 1 classes, as in 10:5",
      text);
  return result;
}

ImageSet imbalanced_subset(const ImageSet& images, const StepImbalance& imbalance,
                           std::span<const std::string> class_names) {
  const std::vector<std::int64_t> available = class_counts(images);
  const auto [smallest, largest] = std::minmax_element(available.begin(), available.end());
  require<UsageError>(*smallest == *largest,
                      "--imbalance needs classes of one size, but there are {} pictures of class '{}' and {} "
                      "of class '{}'; --train-limit takes a balanced subset",
                      *smallest, class_names[static_cast<std::size_t>(smallest - available.begin())],
                      *largest, class_names[static_cast<std::size_t>(largest - available.begin())]);
  const int majority = imbalance.majority_classes > 0 ? imbalance.majority_classes : images.num_classes / 2;
  require<UsageError>(majority < images.num_classes,
                      "--imbalance with C1 = {} of {} classes leaves no minority class", majority,
                      images.num_classes);
  const auto minority_size =
      static_cast<std::int64_t>(std::floor(static_cast<double>(*smallest) / imbalance.ratio));
  require<UsageError>(minority_size >= 1,
                      "--imbalance with ratio {} leaves less than one of the {} pictures of a class",
                      imbalance.ratio, *smallest);
  std::vector<std::int64_t> per_class(available.size(), minority_size);
  std::fill_n(per_class.begin(), majority, *largest);
  return class_subset(images, per_class, class_names, "--imbalance");
}

}  // namespace gnc
