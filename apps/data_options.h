#pragma once
/// The flags that say what to train and test on, and the data they give.

#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "data/transforms.h"

namespace gnc {

/// What the flags say; the defaults are those of appendix F.1.
struct DataOptions {
  std::string spec = "fashion-mnist";  ///< --data: see data/registry.h
  std::int64_t train_limit = 0;        ///< pictures of a balanced subset; 0: all
  std::int64_t test_limit = 0;
  std::string imbalance;  ///< "R" or "R:C1" (data/subset.h); empty: none
  NormalizationKind normalize = NormalizationKind::kPixel;
  Augmentation augment = Augmentation::kFlip;
  int image_size = 0;  ///< pictures are padded to this many pixels a side; 0: to what the backbone needs
  int threads = 0;     ///< that decode pictures; 0: all cores. Has no flag of its own: --threads
};

/// --data --train-limit --test-limit --imbalance --normalize --augment --image-size.
void add_data_options(CLI::App& app, DataOptions& options);
/// --train-limit --test-limit --imbalance alone.
void add_subset_options(CLI::App& app, DataOptions& options);

/// The data set of `options.spec` with the limits and the imbalance applied, in this order; the imbalance
/// concerns the training set only.
Dataset load_subset(const DataOptions& options);

/// Names of the classes without a picture.
std::vector<std::string> missing_classes(const ImageSet& images, const std::vector<std::string>& class_names);

/// A line for standard error where a split lacks classes: which, and what is undefined for it; else empty.
std::string missing_classes_warning(const ImageSet& train, const ImageSet& test,
                                    const std::vector<std::string>& class_names);

/// Data ready for a trainer.
struct LoadedData {
  int num_classes = 0;
  std::vector<std::string> class_names;
  std::unique_ptr<Loader> train;  ///< shuffled, augmented
  std::unique_ptr<Loader> test;   ///< in plain order
  /// Rows of the settings table.
  std::vector<std::pair<std::string, std::string>> description;
  /// What the pictures depend on, for result.json; equal for equal data.
  nlohmann::ordered_json settings;
};

/// Loads, takes the subset, pads to squares of at least `minimum_image_size` pixels a side (never less than
/// the pictures have) and normalises by the statistics of the training pictures. Throws UsageError for flags
/// that make no sense with the data, FileError for bad files.
LoadedData load_data(const DataOptions& options, int minimum_image_size);

}  // namespace gnc
