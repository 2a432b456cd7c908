/// Philox and the streams made of it.

#include "engine/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace gnc {
namespace {

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

TEST(Philox, Gives_The_Known_Answers_Of_Random123) {
  // Random123's kat_vectors, philox4x32-10. At compile time, so the generator is constexpr as well.
  static_assert(philox4x32(Counter{0, 0, 0, 0}, Key{0, 0}) ==
                Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t kOnes = 0xffffffff;
  static_assert(philox4x32(Counter{kOnes, kOnes, kOnes, kOnes}, Key{kOnes, kOnes}) ==
                Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  // The digits of pi; at run time.
  const Counter counter = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
  const Key key = {0xa4093822, 0x299f31d0};
  EXPECT_EQ(philox4x32(counter, key), (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, Depends_On_Seed_Purpose_Index_And_Position) {
  std::set<Counter> seen;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
    for (const char* purpose : {"", "init", "shuffle", "flip"})
      for (const std::uint64_t index :
           {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1} << 40})
        for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
          seen.insert(RandomStream(seed, purpose, index).bits(position));
  EXPECT_EQ(seen.size(), 3U * 4 * 4 * 3) << "two streams or positions coincide";
  EXPECT_EQ(RandomStream(7, "init", 3).bits(11), RandomStream(7, "init", 3).bits(11));
}

/// Pearson's χ² of counts that should be equal.
double chi_squared(const std::vector<int>& counts) {
  double total = 0, sum = 0;
  for (const int count : counts) total += count;
  const double expected = total / static_cast<double>(counts.size());
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// χ² with k degrees of freedom has mean k and deviation √(2k): below k + 6√(2k) for all but a few in a
// million seeds.
double chi_squared_bound(std::size_t bins) {
  const double freedom = static_cast<double>(bins) - 1;
  return freedom + 6 * std::sqrt(2 * freedom);
}

TEST(RandomStream, Uniform_Fills_The_Unit_Interval_Evenly) {
  const RandomStream stream(1, "uniform");
  std::vector<int> counts(64, 0);
  double sum = 0;
  constexpr int kDraws = 100'000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double value = stream.uniform(i);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
    ++counts[static_cast<std::size_t>(value * 64)];
  }
  // Deviation of the mean: √(1/12)/√n = 0.0009.
  EXPECT_NEAR(sum / kDraws, 0.5, 6 * 0.2887 / std::sqrt(kDraws));
  EXPECT_LT(chi_squared(counts), chi_squared_bound(counts.size()));
}

TEST(RandomStream, Neighbouring_Positions_Are_Independent) {
  const RandomStream stream(2, "pairs");
  std::vector<int> counts(64, 0);
  for (std::uint64_t i = 0; i < 100'000; ++i)
    ++counts[static_cast<std::size_t>(stream.uniform(i) * 8) * 8 +
             static_cast<std::size_t>(stream.uniform(i + 1) * 8)];
  EXPECT_LT(chi_squared(counts), chi_squared_bound(counts.size()));
}

TEST(RandomStream, Neighbouring_Indices_Are_Independent) {
  std::vector<int> counts(64, 0);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double here = RandomStream(2, "epochs", i).uniform(0),
                 next = RandomStream(2, "epochs", i + 1).uniform(0);
    ++counts[static_cast<std::size_t>(here * 8) * 8 + static_cast<std::size_t>(next * 8)];
  }
  EXPECT_LT(chi_squared(counts), chi_squared_bound(counts.size()));
}

TEST(RandomStream, Normal_Has_The_Moments_And_Tails_Of_One) {
  const RandomStream stream(3, "normal");
  constexpr int kDraws = 100'000;
  double sum = 0, squares = 0, fourths = 0;
  int beyond_two = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double value = stream.normal(i);
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    fourths += value * value * value * value;
    beyond_two += std::fabs(value) > 2 ? 1 : 0;
  }
  // Six deviations of each estimate: 1, √2, √96 and √(p(1−p)) over √n.
  const double root = std::sqrt(kDraws);
  EXPECT_NEAR(sum / kDraws, 0, 6 / root);
  EXPECT_NEAR(squares / kDraws, 1, 6 * std::sqrt(2.0) / root);
  EXPECT_NEAR(fourths / kDraws, 3, 6 * std::sqrt(96.0) / root);
  EXPECT_NEAR(beyond_two / double{kDraws}, 0.0455, 6 * std::sqrt(0.0455 * 0.9545) / root);
}

TEST(RandomStream, Below_Stays_Below_And_Reaches_Everything) {
  const RandomStream stream(4, "below");
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(stream.below(i, 1), 0U);
  std::vector<int> counts(7, 0);
  for (std::uint64_t i = 0; i < 70'000; ++i) ++counts.at(stream.below(i, 7));
  EXPECT_LT(chi_squared(counts), chi_squared_bound(counts.size()));
  constexpr std::uint64_t kHuge = 0xC000000000000000u;  // taking the remainder would favour the lower half
  int lower_half = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::uint64_t value = stream.below(i, kHuge);
    ASSERT_LT(value, kHuge);
    lower_half += value < kHuge / 2 ? 1 : 0;
  }
  EXPECT_NEAR(lower_half, 5'000, 6 * 50);
}

TEST(RandomStream, Permutation_Holds_Every_Number_Once) {
  for (const int size : {0, 1, 2, 7, 1031}) {
    std::vector<int> order = RandomStream(5, "permutation").permutation(size);
    ASSERT_EQ(order.size(), static_cast<std::size_t>(size));
    if (size > 2) {
      EXPECT_FALSE(std::ranges::is_sorted(order)) << size;
    }
    std::ranges::sort(order);
    for (int i = 0; i < size; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
}

TEST(RandomStream, Permutations_Are_Equally_Likely) {
  std::map<std::vector<int>, int> counts;
  for (std::uint64_t epoch = 0; epoch < 24'000; ++epoch)
    ++counts[RandomStream(6, "shuffle", epoch).permutation(4)];
  std::vector<int> values;
  for (const auto& [order, count] : counts) values.push_back(count);
  EXPECT_EQ(values.size(), 24U);
  EXPECT_LT(chi_squared(values), chi_squared_bound(values.size()));
}

}  // namespace
}  // namespace gnc
