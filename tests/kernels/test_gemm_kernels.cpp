/// Every rung of the matrix product's ladder against loops in double. The op's tests see the newest rung
/// alone.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "kernels/gemm.h"
#include "tests/kernels/kernel_test.h"
#include "tests/support/compare.h"
#include "tests/support/rounding.h"

namespace gnc {
namespace {

using kernels::MathMode;
using kernels::MatrixOrder;
using tests::DeviceArray;

struct Case {
  int rows, columns, depth;
  int runs = 2;
  int row_gap = 0;  // elements from the end of a row to the next
  int run_gap = 0;  // and from run to run; odd: vector loads are impossible
};

/// No depth; sizes that divide nothing; ones that just fill tiles, and a bit more, with every width of packs.
constexpr Case kCases[] = {{1, 1, 0},
                           {5, 7, 0},
                           {1, 1, 1},
                           {7, 3, 5},
                           {1, 65, 33},
                           {70, 1, 9},
                           {33, 10, 6},
                           {64, 64, 32},
                           {64, 64, 32, 2, 0, 37},
                           {64, 64, 32, 2, 3, 0},
                           {64, 64, 32, 3, 4, 12},
                           {68, 132, 36},
                           {65, 129, 100, 2, 1, 1},
                           {36, 68, 257}};

/// The larger tiles are for products that fill a large GPU.
constexpr Case kLargeCases[] = {{16772, 68, 4, 1}, {16772, 60, 4, 1}};

/// A matrix of every run, on the host and on the device.
struct Operand {
  int rows, columns;  // as they lie in memory
  std::int64_t row_stride, run_stride;
  std::vector<float> host;
  DeviceArray<float> device;

  /// Numbers of TF32, which both modes multiply as they are.
  Operand(std::string_view name, int row_count, int column_count, const Case& c)
      : rows(row_count),
        columns(column_count),
        row_stride(columns + c.row_gap),
        run_stride(rows * row_stride + c.run_gap),
        host(draw(name, c.runs * run_stride)),
        device(host) {}

  static std::vector<float> draw(std::string_view name, std::int64_t count) {
    const RandomStream stream(20260607, name);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = tests::rounded_to_tf32(static_cast<float>(2 * stream.uniform(i) - 1));
    return values;
  }

  double at(int run, int row, int column, MatrixOrder order) const {
    if (order == MatrixOrder::kTransposed) std::swap(row, column);
    return double{host[static_cast<std::size_t>(run * run_stride + row * row_stride + column)]};
  }
};

/// An operand that is read as [rows,columns], and lies so or transposed.
Operand read_as(std::string_view name, int rows, int columns, MatrixOrder order, const Case& c) {
  const bool is_transposed = order == MatrixOrder::kTransposed;
  return Operand(name, is_transposed ? columns : rows, is_transposed ? rows : columns, c);
}

/// What c must hold: the products where there is an element, what was there before everywhere else.
struct Expected {
  std::vector<double> values;
  std::vector<char> is_element;
};

Expected multiply(const Operand& a, const Operand& b, MatrixOrder a_order, MatrixOrder b_order,
                  const Operand& c, const Case& size) {
  Expected expected{{c.host.begin(), c.host.end()}, std::vector<char>(c.host.size())};
  for (int run = 0; run < size.runs; ++run)
    for (int row = 0; row < size.rows; ++row)
      for (int column = 0; column < size.columns; ++column) {
        double sum = 0;
        for (int k = 0; k < size.depth; ++k)
          sum += a.at(run, row, k, a_order) * b.at(run, k, column, b_order);
        const auto place = static_cast<std::size_t>(run * c.run_stride + row * c.row_stride + column);
        expected.values[place] = sum;
        expected.is_element[place] = 1;
      }
  return expected;
}

void expect_products(const Expected& expected, const std::vector<float>& actual, int depth) {
  const double error = tests::sum_error(tests::products(depth));
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_LE(std::abs(double{actual[i]} - expected.values[i]), expected.is_element[i] != 0 ? error : 0)
        << "place " << i << ": " << actual[i] << " instead of " << expected.values[i];
}

/// Do the runs share a and b?
enum class Sharing { kNone, kBoth };

void expect_every_rung_multiplies(const Case& size, MatrixOrder a_order, MatrixOrder b_order,
                                  Sharing sharing = Sharing::kNone) {
  Case reads = size;
  if (sharing == Sharing::kBoth) reads.runs = 1;
  Operand a = read_as("a", size.rows, size.depth, a_order, reads);
  Operand b = read_as("b", size.depth, size.columns, b_order, reads);
  Operand c("c", size.rows, size.columns, size);
  if (sharing == Sharing::kBoth) a.run_stride = b.run_stride = 0;
  const Expected expected = multiply(a, b, a_order, b_order, c, size);
  for (const MathMode math : {MathMode::kFp32, MathMode::kTf32}) {
    SCOPED_TRACE(math == MathMode::kTf32 ? "tf32" : "fp32");
    const kernels::GemmArgs args{.a = {a.device.data(), a.run_stride, a.row_stride},
                                 .b = {b.device.data(), b.run_stride, b.row_stride},
                                 .c = {c.device.data(), c.run_stride, c.row_stride},
                                 .a_order = a_order,
                                 .b_order = b_order,
                                 .rows = size.rows,
                                 .columns = size.columns,
                                 .depth = size.depth,
                                 .runs = size.runs,
                                 .math = math};
    tests::for_each_version(kernels::gemm_versions(), args, [&](const auto& version) {
      const std::vector<float> result = tests::run_twice([&] {
        c.device.reset();
        version.launch(args, nullptr);
        return c.device.download();
      });
      expect_products(expected, result, size.depth);
    });
    if (::testing::Test::HasFailure()) return;
  }
}

/// Operands rounded to bfloat16, of which every product is exact in fp32.
void expect_every_rung_multiplies_bf16(const Case& size, MatrixOrder a_order, MatrixOrder b_order) {
  Operand a = read_as("a", size.rows, size.depth, a_order, size);
  Operand b = read_as("b", size.depth, size.columns, b_order, size);
  Operand c("c", size.rows, size.columns, size);
  const auto rounded = [](Operand& operand) {
    std::vector<kernels::Bf16> values;
    for (float& value : operand.host) {
      values.push_back(kernels::from_float<kernels::Bf16>(value));
      value = kernels::to_float(values.back());
    }
    return values;
  };
  DeviceArray<kernels::Bf16> device_a(rounded(a)), device_b(rounded(b));
  const Expected expected = multiply(a, b, a_order, b_order, c, size);
  const kernels::GemmBf16Args args{.a = {device_a.data(), a.run_stride, a.row_stride},
                                   .b = {device_b.data(), b.run_stride, b.row_stride},
                                   .c = {c.device.data(), c.run_stride, c.row_stride},
                                   .a_order = a_order,
                                   .b_order = b_order,
                                   .rows = size.rows,
                                   .columns = size.columns,
                                   .depth = size.depth,
                                   .runs = size.runs};
  tests::for_each_version(kernels::gemm_bf16_versions(), args, [&](const auto& version) {
    const std::vector<float> result = tests::run_twice([&] {
      c.device.reset();
      version.launch(args, nullptr);
      return c.device.download();
    });
    expect_products(expected, result, size.depth);
  });
}

/// Calls body(order of a, order of b) for all four, until one of them fails.
template <class Body>
void for_each_order(const Body& body) {
  for (const MatrixOrder a_order : {MatrixOrder::kAsIs, MatrixOrder::kTransposed})
    for (const MatrixOrder b_order : {MatrixOrder::kAsIs, MatrixOrder::kTransposed}) {
      SCOPED_TRACE(fmt::format("a {}, b {}", a_order == MatrixOrder::kAsIs ? "as it is" : "transposed",
                               b_order == MatrixOrder::kAsIs ? "as it is" : "transposed"));
      body(a_order, b_order);
      if (::testing::Test::HasFailure()) return;
    }
}

class GemmKernels : public tests::KernelTest {};

TEST_F(GemmKernels, EveryRung_SumsTheProductsInAllOrders) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("case {}", &c - kCases));
    for_each_order([&](auto a, auto b) { expect_every_rung_multiplies(c, a, b); });
    if (HasFailure()) return;
  }
}

TEST_F(GemmKernels, EveryRung_SumsTheProductsOfBf16) {
  // Rows a multiple of 16 bytes apart, then of 8, then of 2.
  for (const Case& c :
       {Case{1, 1, 0}, Case{7, 3, 5}, Case{72, 136, 40}, Case{68, 132, 36}, Case{65, 129, 100, 2, 1, 1}}) {
    SCOPED_TRACE(fmt::format("{}x{}x{}", c.rows, c.columns, c.depth));
    for_each_order([&](auto a, auto b) { expect_every_rung_multiplies_bf16(c, a, b); });
    if (HasFailure()) return;
  }
  // The larger tiles, which differ in nothing but the shape from those.
  expect_every_rung_multiplies_bf16({16776, 72, 8, 1}, MatrixOrder::kAsIs, MatrixOrder::kTransposed);
}

TEST_F(GemmKernels, EveryRung_SumsTheProductsInLargeTiles) {
  for (const Case& c : kLargeCases) {
    SCOPED_TRACE(fmt::format("large case {}", &c - kLargeCases));
    for_each_order([&](auto a, auto b) { expect_every_rung_multiplies(c, a, b); });
    if (HasFailure()) return;
  }
}

TEST_F(GemmKernels, EveryRung_ServesAllRunsFromSharedOperands) {
  for_each_order([](auto a, auto b) { expect_every_rung_multiplies({68, 36, 40, 3}, a, b, Sharing::kBoth); });
}

}  // namespace
}  // namespace gnc
