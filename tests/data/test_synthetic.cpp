#include "data/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "data/registry.h"
#include "tests/data/files.h"

namespace gnc::tests {
namespace {

TEST(Synthetic, Has_The_Sizes_Asked_For_And_Balanced_Classes) {
  const Dataset dataset = load_dataset("synthetic:classes=7,size=9,train=31,test=10,channels=2,seed=3");
  EXPECT_EQ(dataset.num_classes(), 7);
  EXPECT_EQ(dataset.class_names.size(), 7u);
  EXPECT_EQ(shape_of(dataset.train), (PictureShape{.height = 9, .width = 9, .channels = 2}));
  EXPECT_EQ(class_counts(dataset.train), (std::vector<std::int64_t>{5, 5, 5, 4, 4, 4, 4}));
  EXPECT_EQ(class_counts(dataset.test), (std::vector<std::int64_t>{2, 2, 2, 1, 1, 1, 1}));
}

TEST(Synthetic, Is_The_Same_For_Any_Threads_And_Another_For_Another_Seed) {
  const SyntheticConfig config{.classes = 5, .size = 12, .train = 300, .test = 50, .seed = 8};
  const Dataset dataset = make_synthetic(config, {.threads = 1});
  EXPECT_TRUE(same(dataset, make_synthetic(config, {.threads = 5})));
  SyntheticConfig other = config;
  other.seed = 9;
  EXPECT_FALSE(same(dataset.train, make_synthetic(other, {}).train));
}

TEST(Synthetic, Pictures_Do_Not_Depend_On_How_Many_There_Are) {
  const Dataset few = make_synthetic({.classes = 4, .size = 8, .train = 8, .test = 4, .seed = 2}, {});
  const Dataset many = make_synthetic({.classes = 4, .size = 8, .train = 80, .test = 40, .seed = 2}, {});
  for (int i = 0; i < few.train.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(picture(few.train, i), picture(many.train, i))) << i;
}

TEST(Synthetic, No_Two_Pictures_Are_Equal_Within_Or_Across_The_Splits) {
  const Dataset dataset = make_synthetic({.classes = 3, .size = 8, .train = 60, .test = 60, .seed = 4}, {});
  std::set<std::string> all;
  for (const ImageSet* images : {&dataset.train, &dataset.test}) {
    for (int i = 0; i < images->size(); ++i) {
      const auto pixels = picture(*images, i);
      all.emplace(pixels.begin(), pixels.end());
    }
  }
  EXPECT_EQ(all.size(), 120u);
}

TEST(Synthetic, Integer_Arithmetic_Gives_These_Very_Bytes_On_Every_Machine) {
  const Dataset dataset = make_synthetic({.classes = 3, .size = 32, .train = 30, .test = 3, .seed = 1}, {});
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const std::uint8_t value : dataset.train.pixels.values<std::uint8_t>())
    hash = (hash ^ value) * std::uint64_t{0x100000001b3u};
  EXPECT_EQ(hash, 136346601949839396u);
}

/// Share of test pictures whose nearest class mean (of training pictures, Euclidean) is their own class's.
double nearest_mean_accuracy(const Dataset& dataset) {
  const auto size = static_cast<std::size_t>(shape_of(dataset.train).bytes());
  std::vector<std::vector<double>> means(static_cast<std::size_t>(dataset.num_classes()),
                                         std::vector<double>(size));
  const auto counts = class_counts(dataset.train);
  for (int i = 0; i < dataset.train.size(); ++i) {
    const auto label = static_cast<std::size_t>(dataset.train.labels[static_cast<std::size_t>(i)]);
    const auto pixels = picture(dataset.train, i);
    for (std::size_t p = 0; p < size; ++p) means[label][p] += pixels[p] / static_cast<double>(counts[label]);
  }
  int right = 0;
  for (int i = 0; i < dataset.test.size(); ++i) {
    const auto pixels = picture(dataset.test, i);
    double best = std::numeric_limits<double>::infinity();
    std::size_t winner = 0;
    for (std::size_t label = 0; label < means.size(); ++label) {
      double distance = 0;
      for (std::size_t p = 0; p < size; ++p)
        distance += (pixels[p] - means[label][p]) * (pixels[p] - means[label][p]);
      if (distance < best) {
        best = distance;
        winner = label;
      }
    }
    right += static_cast<int>(winner) == dataset.test.labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  return static_cast<double>(right) / dataset.test.size();
}

TEST(Synthetic, Is_Learnable_But_Not_Trivial_And_Similarity_Makes_It_Harder) {
  const auto accuracy = [](double similarity) {
    return nearest_mean_accuracy(make_synthetic({.classes = 20,
                                                 .size = 32,
                                                 .channels = 3,
                                                 .train = 2000,
                                                 .test = 1000,
                                                 .similarity = similarity,
                                                 .seed = 5},
                                                {}));
  };
  const double distinct = accuracy(0.0), usual = accuracy(0.5), alike = accuracy(0.9);
  RecordProperty("accuracies", fmt::format("{} {} {}", distinct, usual, alike));
  EXPECT_GT(usual, 0.3);  // chance is 0.05
  EXPECT_LT(usual, 0.99);
  EXPECT_GT(distinct, usual);
  EXPECT_GT(usual, alike);
}

TEST(Synthetic, Settings_Are_Read_In_Any_Order_With_Defaults) {
  const SyntheticConfig config =
      parse_synthetic("train=70,classes=6,seed=18446744073709551615,similarity=0.25");
  EXPECT_EQ(config.train, 70);
  EXPECT_EQ(config.classes, 6);
  EXPECT_EQ(config.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(config.similarity, 0.25);
  EXPECT_EQ(config.size, 32);
  EXPECT_EQ(config.test, 10000);
  EXPECT_EQ(parse_synthetic("").classes, 10);
}

TEST(Synthetic, Bad_Settings_Are_Named) {
  const auto expect_bad = [](const std::string& settings, std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>([&] { load_dataset("synthetic:" + settings); }, parts);
  };
  expect_bad("clases=3", {"clases", "did you mean 'classes'"});
  expect_bad("classes", {"'classes'", "KEY=VALUE"});
  expect_bad("classes=", {"classes=", "expected a number from 2"});
  expect_bad("classes=1", {"classes=1", "from 2"});
  expect_bad("classes=3x", {"classes=3x"});
  expect_bad("classes=3,classes=4", {"classes is given twice"});
  expect_bad("size=4097", {"size=4097", "4096"});
  expect_bad("train=99999999999999999999", {"train=99999999999999999999"});
  expect_bad("similarity=1", {"similarity=1", "0.99"});
  expect_bad("similarity=nan", {"similarity=nan"});
  expect_bad("seed=-1", {"seed=-1"});
  expect_bad("classes=10,train=9", {"train=9", "classes=10"});
  expect_error<FileError>([] { load_dataset("synthetic:train=2000000000,size=4096"); },
                          {"2000000000", "GiB"});
}

}  // namespace
}  // namespace gnc::tests
