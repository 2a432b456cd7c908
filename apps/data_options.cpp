#include "apps/data_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "apps/options.h"
#include "data/registry.h"
#include "data/subset.h"
#include "engine/error.h"
#include "engine/printable.h"

namespace gnc {
namespace {

std::string name_of(NormalizationKind kind) {
  switch (kind) {
    case NormalizationKind::kPixel:
      return "pixel";
    case NormalizationKind::kChannel:
      return "channel";
    case NormalizationKind::kNone:
      return "none";
  }
  return "?";
}

std::string name_of(Augmentation augmentation) {
  switch (augmentation) {
    case Augmentation::kNone:
      return "none";
    case Augmentation::kFlip:
      return "flip";
    case Augmentation::kCrop:
      return "crop";
    case Augmentation::kFlipCrop:
      return "flip-crop";
  }
  return "?";
}

/// CLI11's form of a check: an empty string or what is wrong.
std::string imbalance_fault(const std::string& text) {
  try {
    parse_imbalance(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

/// "2000 (200 of each class; 7 of the 2007 asked for do not divide by 10 classes)".
std::string size_text(const ImageSet& images, std::int64_t limit) {
  const std::vector<std::int64_t> counts = class_counts(images);
  const auto [smallest, largest] = std::minmax_element(counts.begin(), counts.end());
  std::string text = *smallest == *largest
                         ? fmt::format("{} ({} of each class", images.size(), *largest)
                         : fmt::format("{} ({} to {} of a class", images.size(), *smallest, *largest);
  const std::int64_t left_over = limit % images.num_classes;
  if (left_over != 0)
    text += fmt::format("; {} of the {} asked for do not divide by {} classes", left_over, limit,
                        images.num_classes);
  return text + ")";
}

std::string preparation_text(const PictureShape& stored, const PictureShape& used,
                             const DataOptions& options) {
  std::string text = used == stored ? "" : fmt::format("padded to {}; ", used.to_string());
  switch (options.normalize) {
    case NormalizationKind::kPixel:
      text += "mean and deviation of every pixel";
      break;
    case NormalizationKind::kChannel:
      text += "mean and deviation of every channel";
      break;
    case NormalizationKind::kNone:
      text += "not normalised";
      break;
  }
  if (options.augment == Augmentation::kNone) return text + "; not augmented";
  if (has_crops(options.augment))
    text += fmt::format("; random crops with {} black pixels around", kCropPadding);
  return has_flips(options.augment) ? text + "; random horizontal flips" : text;
}

int padded_size(const PictureShape& shape, const DataOptions& options, int minimum_image_size) {
  const int largest = std::max(shape.height, shape.width);
  if (options.image_size == 0) return std::max(largest, minimum_image_size);
  require<UsageError>(options.image_size >= largest,
                      "--image-size {} is less than the pictures of '{}' have: {}", options.image_size,
                      options.spec, shape.to_string());
  require<UsageError>(options.image_size >= minimum_image_size,
                      "--image-size {}: the backbone needs {} or more", options.image_size,
                      minimum_image_size);
  return options.image_size;
}

}  // namespace

void add_subset_options(CLI::App& app, DataOptions& options) {
  restrict_to_count(
      app.add_option("--train-limit", options.train_limit,
                     "Training pictures to use, the same number of each class, the first ones; 0: all")
          ->capture_default_str()
          ->type_name("N"));
  restrict_to_count(app.add_option("--test-limit", options.test_limit, "The same for the test pictures")
                        ->capture_default_str()
                        ->type_name("N"));
  app.add_option(
         "--imbalance", options.imbalance,
         "Step imbalance of the training set: the first C1 classes (default: half) keep their pictures, the "
         "others one in R")
      ->type_name("R[:C1]")
      ->check(imbalance_fault);
}

void add_data_options(CLI::App& app, DataOptions& options) {
  app.add_option("--data", options.spec, fmt::format("Data set: {}", fmt::join(dataset_forms(), ", ")))
      ->capture_default_str()
      ->type_name("SPEC");
  add_subset_options(app, options);
  add_choice_option(app, "--normalize", options.normalize,
                    {{"pixel", NormalizationKind::kPixel},
                     {"channel", NormalizationKind::kChannel},
                     {"none", NormalizationKind::kNone}},
                    "What has mean 0 and standard deviation 1 over the training set");
  add_choice_option(
      app, "--augment", options.augment,
      {{"flip", Augmentation::kFlip},
       {"crop", Augmentation::kCrop},
       {"flip-crop", Augmentation::kFlipCrop},
       {"none", Augmentation::kNone}},
      "Random change of training pictures: flipped left to right or not, cropped from four black "
      "pixels around them");
  app.add_option("--image-size", options.image_size,
                 "Pixels a side to which pictures are padded with black; 0: to what the backbone needs")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(0, kMaxPictureExtent));
}

Dataset load_subset(const DataOptions& options) {
  Dataset dataset = load_dataset(options.spec, {.threads = options.threads});
  const auto limit = [&](ImageSet& images, std::int64_t pictures, std::string_view flag) {
    if (pictures > 0) images = balanced_subset(images, pictures, dataset.class_names, flag);
  };
  limit(dataset.train, options.train_limit, "--train-limit");
  limit(dataset.test, options.test_limit, "--test-limit");
  if (!options.imbalance.empty())
    dataset.train = imbalanced_subset(dataset.train, parse_imbalance(options.imbalance), dataset.class_names);
  return dataset;
}

std::vector<std::string> missing_classes(const ImageSet& images,
                                         const std::vector<std::string>& class_names) {
  const std::vector<std::int64_t> counts = class_counts(images);
  std::vector<std::string> missing;
  for (std::size_t label = 0; label < counts.size(); ++label)
    if (counts[label] == 0) missing.push_back(class_names[label]);
  return missing;
}

std::string missing_classes_warning(const ImageSet& train, const ImageSet& test,
                                    const std::vector<std::string>& class_names) {
  std::string warning;
  const auto warn = [&](std::string_view split, const ImageSet& images, std::string_view undefined) {
    const std::vector<std::string> missing = missing_classes(images, class_names);
    if (missing.empty()) return;
    // A data set of a thousand classes may lack most of them.
    constexpr std::size_t kShown = 10;
    const auto shown = std::span(missing).first(std::min(missing.size(), kShown));
    warning +=
        fmt::format("warning: no {} picture of {} of {} classes ({}{}); {} undefined\n", split,
                    missing.size(), class_names.size(), printable(fmt::format("{}", fmt::join(shown, ", "))),
                    shown.size() < missing.size() ? ", …" : "", undefined);
  };
  warn("training", train, "collapse metrics, margins and class means (nc1, nc2, …) are");
  warn("test", test, "collapse metrics of the test pictures (test_nc1, test_nc2, …) are");
  return warning;
}

LoadedData load_data(const DataOptions& options, int minimum_image_size) {
  Dataset dataset = load_subset(options);
  const PictureShape stored = shape_of(dataset.train);
  const int size = padded_size(stored, options, minimum_image_size);
  const auto train = std::make_shared<const ImageSet>(pad_to(std::move(dataset.train), size));
  const auto test = std::make_shared<const ImageSet>(pad_to(std::move(dataset.test), size));
  const auto normalization =
      std::make_shared<const Normalization>(make_normalization(*train, options.normalize));

  LoadedData data;
  data.num_classes = train->num_classes;
  data.train = std::make_unique<Loader>(
      train, normalization,
      Loader::Config{.sample_order = SampleOrder::kShuffled, .augmentation = options.augment});
  data.test = std::make_unique<Loader>(
      test, normalization,
      Loader::Config{.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kNone});
  data.description = {{"data", fmt::format("{}, {} classes, pictures {}", options.spec, data.num_classes,
                                           stored.to_string())},
                      {"training set", size_text(*train, options.train_limit)},
                      {"test set", size_text(*test, options.test_limit)},
                      {"pictures", preparation_text(stored, shape_of(*train), options)}};
  if (!options.imbalance.empty()) data.description.push_back({"imbalance", options.imbalance});
  data.settings = {{"data", options.spec},
                   {"train_limit", options.train_limit},
                   {"test_limit", options.test_limit},
                   {"imbalance", options.imbalance},
                   {"normalize", name_of(options.normalize)},
                   {"augment", name_of(options.augment)},
                   {"image_size", size},
                   {"classes", data.num_classes},
                   {"train_pictures", train->size()},
                   {"test_pictures", test->size()}};
  data.class_names = std::move(dataset.class_names);
  return data;
}

}  // namespace gnc
