/// Shapes: extents, runs, printing, errors.

#include "engine/shape.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

TEST(Shape, Reads_Extents_That_Are_Not_Given_As_1) {
  const Shape shape{7, 33};
  EXPECT_EQ(shape.rank(), 2);
  EXPECT_EQ(shape[0], 7);
  EXPECT_EQ(shape[1], 33);
  EXPECT_EQ(shape[2], 1);
  EXPECT_EQ(shape[3], 1);
  EXPECT_EQ(shape.elements(), 231);
}

TEST(Shape, Without_Extents_Is_One_Number) {
  EXPECT_EQ(Shape().rank(), 0);
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().runs(), 1);
}

TEST(Shape, Counts_The_Elements_Of_One_Run_In_64_Bits) {
  EXPECT_EQ(Shape({60'000, 512, 28, 28}, 10).elements(), std::int64_t{60'000} * 512 * 28 * 28);
  EXPECT_EQ(Shape({0, 3}).elements(), 0);
}

TEST(Shape, Is_Equal_Only_With_The_Same_Rank_Extents_And_Runs) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3}).with_runs(2));
  EXPECT_EQ((Shape{2, 3}), (Shape({2, 3}, 5)).with_runs(1));
}

TEST(Shape, Changes_Its_Batch_And_Nothing_Else) {
  EXPECT_EQ((Shape({256, 3, 32, 32}, 4)).with_batch(17), (Shape({17, 3, 32, 32}, 4)));
  EXPECT_EQ((Shape{256}).with_batch(0), (Shape{0}));
}

TEST(Shape, Prints_As_In_Error_Messages) {
  EXPECT_EQ((Shape{256, 64, 32, 32}).to_string(), "[256,64,32,32]");
  EXPECT_EQ((Shape({7, 3}, 10)).to_string(), "10 x [7,3]");
  EXPECT_EQ(Shape().to_string(), "[]");
}

TEST(Shape, Refuses_What_Is_No_Shape) {
  expect_error<ShapeError>([] { Shape({1, 2, 3, 4, 5}); }, {"at most 4", "5"});
  expect_error<ShapeError>([] { Shape({3, -1}); }, {"extent 1", "-1"});
  expect_error<ShapeError>([] { Shape({3}, 0); }, {"at least one run", "0"});
  expect_error<ShapeError>([] { Shape({3}).with_runs(-2); }, {"at least one run", "-2"});
  expect_error<ShapeError>([] { Shape({3}).with_batch(-2); }, {"[3]", "-2"});
  expect_error<ShapeError>([] { Shape().with_batch(2); }, {"[]", "2"});
}

}  // namespace
}  // namespace gnc
