#include "data/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "tests/data/files.h"

namespace gnc::tests {
namespace {

TEST(ParallelFor, Visits_Every_Item_Once) {
  for (const std::int64_t count : {0, 1, 15, 16, 17, 1031}) {
    for (const int threads : {0, 1, 2, 9}) {
      std::vector<int> visits(static_cast<std::size_t>(count));
      parallel_for(count, threads, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
      EXPECT_EQ(visits, std::vector<int>(static_cast<std::size_t>(count), 1));
    }
  }
}

TEST(ParallelFor, Rethrows_The_Smallest_Failing_Item_And_Stops_Early) {
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::atomic<int> visits{0};
    const auto body = [&](std::int64_t i) {
      ++visits;
      if (i >= 37) throw std::out_of_range(std::to_string(i));
    };
    EXPECT_EQ(error_of<std::out_of_range>([&] { parallel_for(1'000'000, 4, body); }), "37");
    EXPECT_LT(visits, 10000);
  }
}

}  // namespace
}  // namespace gnc::tests
