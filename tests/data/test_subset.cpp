#include "data/subset.h"

#include <gtest/gtest.h>

#include "tests/data/files.h"

namespace gnc::tests {
namespace {

const std::vector<std::string> kNames = {"ant", "bee", "cow"};

/// One-pixel pictures; the pixel tells the place in the set.
ImageSet numbered(std::vector<std::int32_t> labels) {
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < labels.size(); ++i) pixels.push_back(static_cast<std::uint8_t>(i));
  return image_set({.height = 1, .width = 1, .channels = 1}, pixels, std::move(labels), 3);
}

std::vector<int> places(const ImageSet& images) {
  const auto values = images.pixels.values<std::uint8_t>();
  return {values.begin(), values.end()};
}

TEST(FirstOfEachClass, Takes_All_That_There_Are_Where_They_Are_Few) {
  const ImageSet images = numbered({2, 0, 0, 1, 0, 2});
  const std::vector<std::int64_t> most = {2, 5, 0};
  EXPECT_EQ(first_of_each_class(images, most), (std::vector<int>{1, 2, 3}));
  expect_error<UsageError>([&] { class_subset(images, most, kNames, "--imbalance"); },
                           {"--imbalance", "5 pictures of class 'bee'", "has 1"});
}

TEST(BalancedSubset, Takes_The_First_Of_Each_Class_In_File_Order) {
  const ImageSet images = numbered({2, 0, 0, 1, 0, 1, 2, 2, 1, 0});
  const ImageSet subset = balanced_subset(images, 6, kNames, "--train-limit");
  EXPECT_EQ(places(subset), (std::vector<int>{0, 1, 2, 3, 5, 6}));
  EXPECT_EQ(subset.labels, (std::vector<std::int32_t>{2, 0, 0, 1, 1, 2}));
  EXPECT_EQ(subset.num_classes, 3);
}

TEST(BalancedSubset, Rounds_Down_To_The_Same_Number_Of_Each_Class) {
  const ImageSet images = numbered({0, 0, 0, 1, 1, 1, 2, 2, 2});
  EXPECT_EQ(class_counts(balanced_subset(images, 8, kNames, "--train-limit")),
            (std::vector<std::int64_t>{2, 2, 2}));
  EXPECT_TRUE(same(balanced_subset(images, 9, kNames, "--train-limit"), images));
}

TEST(BalancedSubset, Names_The_Class_That_Has_Too_Few) {
  const ImageSet images = numbered({0, 0, 0, 1, 2, 2});
  expect_error<UsageError>([&] { balanced_subset(images, 6, kNames, "--test-limit"); },
                           {"--test-limit", "2 pictures of class 'bee'", "has 1"});
  expect_error<UsageError>([&] { balanced_subset(images, 2, kNames, "--test-limit"); },
                           {"--test-limit is 2", "3 classes"});
}

TEST(Imbalance, Keeps_The_First_Classes_Whole_And_Thins_The_Others) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 60; ++i) labels.push_back(i % 3);
  const ImageSet images = numbered(labels);
  const auto counts = [&](const StepImbalance& imbalance) {
    return class_counts(imbalanced_subset(images, imbalance, kNames));
  };
  EXPECT_EQ(counts({.ratio = 10, .majority_classes = 2}), (std::vector<std::int64_t>{20, 20, 2}));
  EXPECT_EQ(counts({.ratio = 10}),
            (std::vector<std::int64_t>{20, 2, 2}));  // half of three classes, rounded down
  EXPECT_EQ(counts({.ratio = 3, .majority_classes = 1}), (std::vector<std::int64_t>{20, 6, 6}));
  EXPECT_EQ(counts({.ratio = 1, .majority_classes = 1}), (std::vector<std::int64_t>{20, 20, 20}));
  EXPECT_EQ(places(imbalanced_subset(images, {.ratio = 20, .majority_classes = 2}, kNames))[2],
            2);  // its first
}

TEST(Imbalance, Refuses_What_Makes_No_Step) {
  const ImageSet images = numbered({0, 0, 1, 1, 2, 2});
  expect_error<UsageError>([&] { imbalanced_subset(images, {.ratio = 3}, kNames); },
                           {"ratio 3", "2 pictures"});
  expect_error<UsageError>([&] { imbalanced_subset(images, {.ratio = 2, .majority_classes = 3}, kNames); },
                           {"C1 = 3 of 3 classes"});
  expect_error<UsageError>(
      [&] {
        imbalanced_subset(numbered({0, 1, 1, 2, 2}), {.ratio = 2}, kNames);
      },
      {"1 pictures of class 'ant'", "2 of class 'cow'", "--train-limit"});
}

TEST(Imbalance, Is_Read_As_A_Ratio_And_Perhaps_A_Number_Of_Classes) {
  EXPECT_EQ(parse_imbalance("10").ratio, 10);
  EXPECT_EQ(parse_imbalance("10").majority_classes, 0);
  EXPECT_EQ(parse_imbalance("2.5:7").ratio, 2.5);
  EXPECT_EQ(parse_imbalance("2.5:7").majority_classes, 7);
  for (const std::string text :
       {"", "x", "0.5", "-3", "10:", "10:0", "10:-1", "10:3x", "10;3", "nan", "inf", "10:2:1"})
    expect_error<UsageError>([&] { parse_imbalance(text); }, {"'" + text + "'", "R:C1"});
}

}  // namespace
}  // namespace gnc::tests
