/// The test machinery itself: what must fail does fail.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/ops/cases/all.h"
#include "tests/support/backends.h"
#include "tests/support/gradient_check.h"

namespace gnc::tests {
namespace {

HostTensor floats(std::initializer_list<float> values) {
  return HostTensor(Shape{static_cast<int>(values.size())},
                    std::span<const float>(values.begin(), values.size()));
}

TEST(Comparator, Accepts_What_Is_Within_Absolute_Plus_Relative_Tolerance) {
  const Tolerance tolerance{.absolute = 0.5, .relative = 0.125};
  EXPECT_TRUE(compare(floats({8, -8, 0}), floats({9.5F, -6.5F, 0.5F}), tolerance));
  EXPECT_FALSE(compare(floats({8, -8, 0}), floats({9.625F, -8, 0}), tolerance));
}

TEST(Comparator, Names_First_And_Worst_With_Values_And_Tolerance) {
  const Comparison comparison =
      compare(HostTensor(Shape{2, 2}, std::vector<float>{1, 2, 3, 4}),
              HostTensor(Shape{2, 2}, std::vector<float>{1, 2.5F, 7, 4}), {.absolute = 0.25});
  EXPECT_FALSE(comparison);
  EXPECT_EQ(
      comparison.message,
      "2 of 4 elements are wrong; first [0,1]: 2.5 but must be 2 ± 0.25; worst [1,0]: 7 but must be 3 ± 0.25 "
      "(16 × the tolerance)");
}

TEST(Comparator, Names_The_Run) {
  const HostTensor expected(Shape({2}, 3), std::vector<float>{1, 2, 3, 4, 5, 6});
  const HostTensor actual(Shape({2}, 3), std::vector<float>{1, 2, 3, 4, 5, 7});
  EXPECT_NE(compare(expected, actual, {}).message.find("first run 2 [1]: 7 but must be 6"),
            std::string::npos);
}

TEST(Comparator, Fails_On_What_Is_Not_Finite) {
  const Tolerance loose{.absolute = 1e30, .relative = 1e30};
  for (const float broken : {NAN, INFINITY, -INFINITY}) {
    EXPECT_FALSE(compare(floats({1, 2}), floats({1, broken}), loose));
    EXPECT_FALSE(compare(floats({1, broken}), floats({1, 2}), loose));
    EXPECT_FALSE(compare(floats({1, broken}), floats({1, broken}), loose));
  }
}

TEST(Comparator, Fails_On_Another_Shape_And_On_Nothing) {
  EXPECT_FALSE(compare(floats({1, 2}), floats({1, 2, 3}), {.absolute = 10}));
  EXPECT_FALSE(compare(floats({1, 2}), HostTensor(Shape{1, 2}, std::vector<float>{1, 2}), {.absolute = 10}));
  EXPECT_FALSE(compare(floats({}), floats({}), {}));
}

TEST(Comparator, Fails_On_A_Reference_Of_Zeros_Unless_Expected) {
  EXPECT_FALSE(compare(floats({0, 0}), floats({0, 0}), {}));
  EXPECT_TRUE(compare(floats({0, 0}), floats({0, 0}), {}, ZeroReference::kIsExpected));
}

TEST(Comparator, Tells_Bits_That_Compare_Equal_As_Numbers) {
  EXPECT_TRUE(compare_bits(floats({0, 1}), floats({0, 1})));
  EXPECT_FALSE(compare_bits(floats({0.0F, 1}), floats({-0.0F, 1})));
  EXPECT_FALSE(compare_bits(floats({1, 2}), floats({1, std::nextafter(2.0F, 3.0F)})));
}

TEST(Sentinels, Are_Silent_When_Nothing_Happened) {
  HostMemory memory;
  const GuardedTensor guarded(memory, floats({1, 2, 3}), 1, Access::kRead);
  EXPECT_TRUE(guarded.faults().empty());
  EXPECT_TRUE(compare_bits(floats({1, 2, 3}), guarded.contents()));
}

TEST(Sentinels, See_One_Byte_Before_Behind_And_Between_The_Runs) {
  HostMemory memory;
  const HostTensor contents(Shape({3}, 2), std::vector<float>{1, 2, 3, 4, 5, 6});
  for (const std::ptrdiff_t place :
       {std::ptrdiff_t{-256}, std::ptrdiff_t{-1}, std::ptrdiff_t{12}, std::ptrdiff_t{159}}) {
    const GuardedTensor guarded(memory, contents, 2, Access::kUpdate);
    auto* byte = static_cast<unsigned char*>(guarded.view().raw()) + place;
    *byte = static_cast<unsigned char>(*byte ^ 1);
    ASSERT_EQ(guarded.faults().size(), 1U) << place;
    EXPECT_NE(guarded.faults()[0].find(fmt::format("byte {} from its start", place)), std::string::npos)
        << guarded.faults()[0];
  }
  const GuardedTensor guarded(memory, contents, 2, Access::kUpdate);
  guarded.view().data<float>(1)[3] = 7;  // one element behind the last run
  EXPECT_EQ(guarded.faults().size(), 1U);
}

TEST(Sentinels, See_A_Change_Of_The_Channels_Beside_A_Slice) {
  HostMemory memory;
  const HostTensor contents =
      HostTensor(Shape({1, 2, 1, 3}, 2), std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
          .in_layout(Layout::kNHWC);
  for (const int place : {-1, 2, 3, 7}) {  // of channels 1 and 2 of four: the others of pixels 0 and 1
    const GuardedTensor guarded(memory, contents, 2, Access::kUpdate, SliceOf{.channels = 4, .first = 1});
    EXPECT_TRUE(guarded.faults().empty());
    EXPECT_TRUE(compare_bits(contents, guarded.contents()));
    EXPECT_TRUE(compare_bits(contents, download(guarded.view())));
    guarded.view().data<float>(1)[place] = 7;
    EXPECT_EQ(guarded.faults().size(), 1U) << place;
  }
  const GuardedTensor guarded(memory, contents, 2, Access::kUpdate, SliceOf{.channels = 4, .first = 1});
  guarded.view().data<float>(1)[5] = 7;  // of pixel 1
  EXPECT_TRUE(guarded.faults().empty());
  EXPECT_EQ(guarded.contents().values<float>()[9], 7);
}

TEST(Sentinels, See_A_Change_Of_A_Read_Only_Operand) {
  HostMemory memory;
  const GuardedTensor guarded(memory, floats({1, 2, 3}), 1, Access::kRead);
  guarded.view().data<float>()[1] = 7;
  ASSERT_EQ(guarded.faults().size(), 1U);
  EXPECT_NE(guarded.faults()[0].find("may only read"), std::string::npos);
}

TEST(Sentinels, Fill_What_Is_To_Be_Written_With_NaN) {
  HostMemory memory;
  const GuardedTensor guarded(memory, floats({1, 2, 3}), 1, Access::kWrite);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(guarded.view().data<float>()[i]));
}

TEST(Sentinels, See_Padding_That_Is_Not_Zero) {
  HostMemory memory;
  const HostTensor contents =
      HostTensor(Shape{1, 1, 1, 1}, std::vector<float>{5}).in_layout(Layout::kOIhw8i8o);
  const GuardedTensor guarded(memory, contents, 1, Access::kUpdate);
  EXPECT_TRUE(guarded.faults().empty());
  guarded.view().data<float>()[9] = 1;
  ASSERT_EQ(guarded.faults().size(), 1U);
  EXPECT_NE(guarded.faults()[0].find("padding"), std::string::npos);
}

TEST(Sentinels, Share_One_Copy_Among_The_Runs) {
  HostMemory memory;
  const GuardedTensor guarded(memory, floats({1, 2, 3}), 5, Access::kRead);
  EXPECT_EQ(guarded.view().runs(), 5);
  EXPECT_EQ(guarded.view().run_stride(), 0);
  EXPECT_EQ(guarded.view().data<float>(4)[2], 3);
}

TEST(GradientCheck, Finds_A_Wrong_Coordinate) {
  const auto cubic = [](std::span<const double> x) { return x[0] * x[0] * x[0] + 2 * x[1]; };
  const std::vector<double> point = {2, 5}, right = {12, 2}, wrong = {12, 2.001};
  const GradientCheck check{
      .difference = Difference::kFourPoint, .step = 1e-2, .tolerance = {.absolute = 1e-10}};
  EXPECT_TRUE(check_gradient(cubic, point, right, check));
  EXPECT_FALSE(check_gradient(cubic, point, wrong, check));
  EXPECT_FALSE(check_gradient(cubic, point, std::vector<double>{12}, check));
}

TEST(Draw, Gives_Run_0_Of_An_Ensemble_What_A_Single_Run_Gets) {
  const HostTensor one = Draw(5).uniform("x", {7, 3}), three = Draw(5, 3).uniform("x", {7, 3});
  EXPECT_TRUE(compare_bits(one, run_of(three, 0)));
  EXPECT_FALSE(compare_bits(one, run_of(three, 1)));
  EXPECT_FALSE(compare_bits(one, Draw(5).uniform("y", {7, 3})));
  EXPECT_FALSE(compare_bits(one, Draw(6).uniform("x", {7, 3})));
}

// The tables
// -----------------------------------------------------------------------------------------------------------

template <class Op>
void expect_table() {
  SCOPED_TRACE(Op::kName);
  std::set<std::string> names;
  for (const auto& op_case : OpCases<Op>::cases())
    EXPECT_TRUE(names.insert(OpCases<Op>::name(op_case)).second)
        << OpCases<Op>::name(op_case) << " occurs twice";
  EXPECT_GE(names.size(), 4U);
  for (const auto& op_case : OpCases<Op>::benchmarks()) {
    EXPECT_FALSE(op_case.label.empty());
    EXPECT_TRUE(names.insert(OpCases<Op>::name(op_case)).second) << op_case.label << " occurs twice";
  }
  const auto& first = OpCases<Op>::cases().front();
  EXPECT_GT(OpCases<Op>::make_inputs(first, Draw(1)).bytes(), 0);
  EXPECT_GE(OpCases<Op>::flops(first), 0);
}

template <class... Ops>
void expect_tables(OpList<Ops...>) {
  (expect_table<Ops>(), ...);
  EXPECT_EQ((std::set<std::string_view>{Ops::kName...}.size()), std::size_t{AllOps::kSize})
      << "two ops of one name";
}

TEST(CaseTables, Exist_For_Every_Op) { expect_tables(AllOps{}); }

TEST(CaseTables, Count_Least_Traffic) {
  // c = a·b reads 4·(6 + 12) bytes and writes 4·8; SGD reads three vectors and writes two.
  const Operands product = OpCases<Gemm>::make_inputs({.rows = 2, .columns = 4, .depth = 3}, Draw(1));
  EXPECT_EQ(product.bytes(), 4 * (6 + 12 + 8));
  EXPECT_EQ(OpCases<SgdStep>::make_inputs({.count = 10}, Draw(1)).bytes(), 4 * 50);
  EXPECT_EQ(OpCases<Gemm>::flops({.rows = 2, .columns = 4, .depth = 3}), 48);
}

}  // namespace
}  // namespace gnc::tests
