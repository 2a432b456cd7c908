#include "data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "tests/data/files.h"

namespace gnc::tests {
namespace {

Loader make_loader(int count, const Loader::Config& config = {}) {
  return Loader(
      std::make_shared<ImageSet>(make_image_set(count, {.height = 1, .width = 1, .channels = 1}, 2, "test")),
      std::make_shared<Normalization>(), config);
}

/// Whether each picture is flipped, by its number.
std::vector<int> flips_by_picture(const EpochOrder& order) {
  std::vector<int> flips(order.indices.size());
  for (std::size_t i = 0; i < flips.size(); ++i)
    flips[static_cast<std::size_t>(order.indices[i])] = order.flips[i];
  return flips;
}

TEST(Loader, Every_Epoch_Has_Every_Picture_Once) {
  for (const int count : {1, 2, 7, 33, 1031}) {
    const Loader loader = make_loader(count);
    for (int epoch = 0; epoch < 3; ++epoch) {
      std::vector<std::int32_t> indices = loader.order(5, epoch).indices;
      std::ranges::sort(indices);
      std::vector<std::int32_t> all(static_cast<std::size_t>(count));
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(indices, all);
    }
  }
}

TEST(Loader, Is_A_Function_Of_Seed_And_Epoch) {
  const Loader first = make_loader(500), second = make_loader(500);
  for (int epoch = 0; epoch < 5; ++epoch)
    static_cast<void>(first.order(1, epoch));  // prefetched, here and there
  const EpochOrder resumed = second.order(1, 3), repeated = first.order(1, 3);
  EXPECT_EQ(resumed.indices, repeated.indices);
  EXPECT_EQ(resumed.flips, repeated.flips);
  const EpochOrder next = first.order(1, 4), elsewhere = first.order(2, 3);
  EXPECT_NE(next.indices, repeated.indices);
  EXPECT_NE(elsewhere.indices, repeated.indices);
  EXPECT_NE(flips_by_picture(next), flips_by_picture(repeated));
  EXPECT_NE(flips_by_picture(elsewhere), flips_by_picture(repeated));
}

TEST(Loader, Puts_Every_Picture_Everywhere_Equally_Often) {
  constexpr int kCount = 8, kEpochs = 4000;
  const Loader loader = make_loader(kCount);
  std::vector<std::vector<int>> hits(kCount, std::vector<int>(kCount));
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const EpochOrder order = loader.order(11, epoch);
    for (std::size_t place = 0; place < kCount; ++place)
      ++hits[place][static_cast<std::size_t>(order.indices[place])];
  }
  // Each row is a multinomial with 8 equal cells: chi-square with 7 degrees of freedom exceeds 29.9 once in
  // 10 000.
  for (const auto& row : hits) {
    double chi_square = 0;
    for (const int hit : row) chi_square += std::pow(hit - kEpochs / 8.0, 2) / (kEpochs / 8.0);
    EXPECT_LT(chi_square, 29.9);
  }
}

TEST(Loader, Flips_Half_Of_The_Pictures_Independently_From_Epoch_To_Epoch) {
  constexpr int kCount = 10000;
  const Loader loader = make_loader(kCount);
  const auto first = flips_by_picture(loader.order(3, 0)), second = flips_by_picture(loader.order(3, 1));
  int flipped = 0, agreed = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(first[i] == 0 || first[i] == 1);
    flipped += first[i];
    agreed += first[i] == second[i] ? 1 : 0;
  }
  // Binomial with deviation √(n/4) = 50; five of them.
  EXPECT_NEAR(flipped, kCount / 2, 250);
  EXPECT_NEAR(agreed, kCount / 2, 250);
}

TEST(Loader, A_Flip_Belongs_To_The_Picture_And_Not_To_Its_Place) {
  const Loader shuffled = make_loader(100);
  const Loader plain =
      make_loader(100, {.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kFlip});
  EXPECT_EQ(flips_by_picture(shuffled.order(9, 2)), flips_by_picture(plain.order(9, 2)));
}

TEST(Loader, Plain_Order_Is_The_Stored_One_Without_Flips) {
  const Loader loader =
      make_loader(5, {.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kNone});
  for (int epoch = 0; epoch < 2; ++epoch) {
    const EpochOrder order = loader.order(7, epoch);
    EXPECT_EQ(order.indices, (std::vector<std::int32_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(order.flips, (std::vector<std::uint8_t>{0, 0, 0, 0, 0}));
  }
  const Loader unflipped = make_loader(64, {.augmentation = Augmentation::kNone});
  EXPECT_EQ(unflipped.order(7, 0).flips, std::vector<std::uint8_t>(64));
  EXPECT_EQ(unflipped.order(7, 0).indices, make_loader(64).order(7, 0).indices);
}

/// The shift of each picture, by its number.
std::vector<CropShift> shifts_by_picture(const EpochOrder& order) {
  std::vector<CropShift> shifts(order.indices.size());
  for (std::size_t i = 0; i < shifts.size(); ++i)
    shifts[static_cast<std::size_t>(order.indices[i])] = order.shifts.at(i);
  return shifts;
}

TEST(Loader, Crops_Are_At_All_81_Places_Alike) {
  constexpr int kCount = 40500;
  const Loader loader = make_loader(kCount, {.augmentation = Augmentation::kCrop});
  const EpochOrder order = loader.order(3, 0);
  std::vector<int> hits(81);
  for (const CropShift& shift : order.shifts) {
    ASSERT_TRUE(std::abs(shift.rows) <= 4 && std::abs(shift.columns) <= 4);
    ++hits[static_cast<std::size_t>((shift.rows + 4) * 9 + shift.columns + 4)];
  }
  double chi_square = 0;
  for (const int hit : hits) chi_square += std::pow(hit - kCount / 81.0, 2) / (kCount / 81.0);
  // 80 degrees of freedom: 80 plus five deviations of √160.
  EXPECT_LT(chi_square, 144);
  EXPECT_EQ(order.flips, std::vector<std::uint8_t>(kCount));
}

TEST(Loader, A_Crop_Belongs_To_Seed_Epoch_And_Picture_And_Leaves_The_Flip_Alone) {
  const Loader::Config plain{.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kFlipCrop};
  const Loader shuffled = make_loader(500, {.augmentation = Augmentation::kFlipCrop});
  const Loader in_place = make_loader(500, plain);
  const std::vector<CropShift> shifts = shifts_by_picture(shuffled.order(9, 2));
  EXPECT_EQ(shifts, shifts_by_picture(in_place.order(9, 2)));
  EXPECT_EQ(shifts, shifts_by_picture(make_loader(500, {.augmentation = Augmentation::kCrop}).order(9, 2)));
  EXPECT_NE(shifts, shifts_by_picture(shuffled.order(9, 3)));
  EXPECT_NE(shifts, shifts_by_picture(shuffled.order(8, 2)));
  const EpochOrder flipped = make_loader(500).order(9, 2);
  EXPECT_EQ(shuffled.order(9, 2).flips, flipped.flips);
  EXPECT_EQ(shuffled.order(9, 2).indices, flipped.indices);
  EXPECT_TRUE(flipped.shifts.empty());
}

TEST(Loader, Serves_Many_Threads_Seeds_And_Jumps_Alike) {
  const Loader shared = make_loader(200), alone = make_loader(200);
  std::vector<std::vector<EpochOrder>> orders(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < orders.size(); ++t)
      threads.emplace_back([&, t] {
        for (const int epoch : {0, 1, 2, 1, 2, 7, 8, 0}) orders[t].push_back(shared.order(t % 2, epoch));
      });
  }
  for (std::size_t t = 0; t < orders.size(); ++t) {
    const std::vector<int> epochs = {0, 1, 2, 1, 2, 7, 8, 0};
    for (std::size_t i = 0; i < epochs.size(); ++i) {
      const EpochOrder expected = alone.order(t % 2, epochs[i]);
      EXPECT_EQ(orders[t][i].indices, expected.indices);
      EXPECT_EQ(orders[t][i].flips, expected.flips);
    }
  }
}

TEST(Loader, May_Be_Destroyed_While_It_Works_Ahead) {
  for (int i = 0; i < 50; ++i) static_cast<void>(make_loader(20000).order(static_cast<std::uint64_t>(i), 0));
}

TEST(Loader, Shares_Pictures_Without_A_Copy_And_Refuses_None) {
  const auto images =
      std::make_shared<ImageSet>(make_image_set(2, {.height = 1, .width = 1, .channels = 1}, 2, "test"));
  const auto normalization = std::make_shared<Normalization>();
  const Loader a(images, normalization, {}), b(images, normalization, {});
  EXPECT_EQ(&a.images(), &b.images());
  EXPECT_EQ(&a.normalization(), normalization.get());
  expect_error<UsageError>([] { static_cast<void>(make_loader(0)); }, {"without pictures"});
}

}  // namespace
}  // namespace gnc::tests
