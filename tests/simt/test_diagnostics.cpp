#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "kernels/simt_tensor_core.h"
#include "tests/simt/marked_line.h"

// Violated rules of the kernel vocabulary. Of every kernel here block (1,0,0) of two violates one.
namespace gnc::kernels {
namespace {

constexpr const char* kHere = "tests/simt/test_diagnostics.cpp";
constexpr unsigned kAll = 0xffffffffu;

/// A message of the emulator, as a regular expression: at the line marked `mark`, in thread `thread` (x of
/// them, a regular expression) of block (1,0,0).
std::string message(const std::string& mark, const std::string& thread, const std::string& what) {
  return "simt: " + tests::marked_place(kHere, mark) + ": block \\(1,0,0\\), thread \\(" + thread +
         ",0,0\\): " + what + " \\(launched at " + tests::marked_place(kHere, "launch") + ", SIMT_SEED=1\\)";
}

void run(void (*kernel)(), unsigned threads) {
  launch({.grid = {2}, .block = {threads}, .shared_bytes = 64}, kernel);  // @launch
}

#define EXPECT_MESSAGE(kernel, threads, mark, thread, what) \
  EXPECT_DEATH(run(kernel, threads), message(mark, thread, what))

__global__ void return_before_a_barrier() {
  if (blockIdx.x == 1 && threadIdx.x == 37) return;
  __syncthreads();  // @barrier left
}
TEST(BarrierDeath, NamesTheThreadThatReturned) {
  EXPECT_MESSAGE(return_before_a_barrier, 64, "barrier left", "37",
                 "returned while thread \\([0-9]+,0,0\\) waits at this __syncthreads");
}

__global__ void wait_at_two_barriers() {
  if (blockIdx.x == 1 && threadIdx.x % 32 == 7)
    __syncthreads();  // @first barrier
  else
    __syncthreads();  // @second barrier
}
TEST(BarrierDeath, NamesBothPlaces) {
  EXPECT_MESSAGE(wait_at_two_barriers, 64, "first barrier", "7",
                 "waits at this __syncthreads while thread \\(6,0,0\\) waits at " +
                     tests::marked_place(kHere, "second barrier"));
}

__global__ void wait_at_a_barrier_and_a_collective() {
  if (blockIdx.x == 1 && threadIdx.x == 0)
    __syncthreads();
  else
    __syncwarp(blockIdx.x == 1 ? kAll : 1u << threadIdx.x);  // @deserted syncwarp
  if (blockIdx.x == 1) __syncthreads();
}
TEST(CollectiveDeath, NamesTheLanesThatNeverCome) {
  EXPECT_MESSAGE(wait_at_a_barrier_and_a_collective, 32, "deserted syncwarp", "[0-9]+",
                 "of the lanes ffffffff of this warp collective, only fffffffe ever come");
}

__global__ void shuffle_without_the_last_lane() {
  if (blockIdx.x == 1 && threadIdx.x < 31) __shfl_sync(kAll, 1.0f, 0);  // @deserted shuffle
  if (blockIdx.x == 1) __syncwarp(threadIdx.x < 31 ? 0x7fffffffu : 0x80000000u);
}
TEST(CollectiveDeath, EndsTheProgram_WhenALaneOfAShuffleReturns) {
  // Whichever is noticed first: lane 31 has returned when others come, or all others wait when it returns.
  EXPECT_MESSAGE(shuffle_without_the_last_lane, 32, "deserted shuffle", "[0-9]+",
                 "(the mask ffffffff names lane 31, which has returned|"
                 "of the lanes ffffffff of this warp collective, only 7fffffff ever come)");
}

__global__ void vote_outside_the_mask() {
  if (blockIdx.x == 1) __ballot_sync(0x0000ffffu, threadIdx.x < 5);  // @outside
}
TEST(CollectiveDeath, NamesTheCallerOutsideItsMask) {
  EXPECT_MESSAGE(vote_outside_the_mask, 32, "outside", "(1[6-9]|2[0-9]|3[01])",
                 "is left out of the mask 0000ffff of the collective that it calls");
}

__global__ void name_lanes_past_the_block() {
  if (blockIdx.x == 1 && threadIdx.x >= 32) __reduce_add_sync(kAll, 1);  // @past the block
}
TEST(CollectiveDeath, EndsTheProgram_WhenTheMaskNamesLanesPastTheBlock) {
  EXPECT_MESSAGE(name_lanes_past_the_block, 40, "past the block", "3[2-9]",
                 "the mask ffffffff names lanes past the end of the block");
}

__global__ void name_a_lane_that_returned() {
  if (blockIdx.x != 1 || threadIdx.x == 3) return;
  __syncwarp(kAll & ~8u);
  __any_sync(kAll, 0);  // @exited
}
TEST(CollectiveDeath, NamesTheLaneThatReturned) {
  EXPECT_MESSAGE(name_a_lane_that_returned, 32, "exited", "[0-9]+",
                 "(the mask ffffffff names lane 3, which has returned|"
                 "of the lanes ffffffff of this warp collective, only fffffff7 ever come)");
}

__global__ void meet_at_two_lines() {
  if (blockIdx.x != 1) return;
  if (threadIdx.x < 16)
    __shfl_sync(kAll, 1, 0);  // @one shuffle
  else
    __shfl_sync(kAll, 1, 0);  // @another shuffle
}
TEST(CollectiveDeath, NamesBothPlaces) {
  const std::string one = tests::marked_place(kHere, "one shuffle"),
                    another = tests::marked_place(kHere, "another shuffle");
  EXPECT_DEATH(run(meet_at_two_lines, 32),
               "(" + one + ".*meets lanes ffffffff here while one of them.*meets lanes ffffffff at " +
                   another + "|" + another + ".*here while one of them.*at " + one + ")");
}

__global__ void meet_with_two_masks() {
  if (blockIdx.x != 1) return;
  __syncwarp(threadIdx.x < 2 ? 0x3u : threadIdx.x == 2 ? 0x6u : 0xfffffff8u);  // @two masks
}
TEST(CollectiveDeath, NamesBothMasks_OrTheLanesThatNeverCome) {
  EXPECT_MESSAGE(meet_with_two_masks, 32, "two masks", "[012]",
                 "(meets lanes 0000000[36] here while one of them, thread \\([0-9],0,0\\), meets lanes "
                 "0000000[36] at .*|of the lanes 00000006 of this warp collective, only 00000004 ever come|"
                 "the mask 00000006 names lane 1, which has returned)");
}

__global__ void copy_to_a_misaligned_place() {
  alignas(16) static const float source[8] = {};
  auto* const shared = dynamic_shared<float>();
  if (blockIdx.x == 1 && threadIdx.x == 2) cp_async<16>(shared + 1, source);  // @misaligned copy
}
TEST(CpAsyncDeath, NamesTheMisalignedCopy) {
  EXPECT_MESSAGE(copy_to_a_misaligned_place, 4, "misaligned copy", "2",
                 "cp_async: an address is not aligned to the bytes that it copies");
}

__global__ void copy_from_a_misaligned_place() {
  alignas(16) static const float source[8] = {};
  auto* const shared = dynamic_shared<float>();
  if (blockIdx.x == 1 && threadIdx.x == 2) cp_async<8>(shared, source + 1);  // @misaligned source
}
TEST(CpAsyncDeath, NamesTheMisalignedSource) {
  EXPECT_MESSAGE(copy_from_a_misaligned_place, 4, "misaligned source", "2",
                 "cp_async: an address is not aligned to the bytes that it copies");
}

__global__ void load_from_a_misaligned_row() {
  auto* const shared = dynamic_shared<std::uint16_t>();
  std::uint32_t fragment[4];
  if (blockIdx.x == 1) ldmatrix_x4(fragment, shared + (threadIdx.x == 9 ? 4 : 8));  // @misaligned row
}
TEST(LdmatrixDeath, NamesTheMisalignedRow) {
  EXPECT_MESSAGE(load_from_a_misaligned_row, 32, "misaligned row", "9",
                 "ldmatrix: a row is not aligned to 16 bytes");
}

__global__ void launch_from_a_kernel() {
  if (blockIdx.x == 1) launch({.grid = {1}, .block = {1}}, return_before_a_barrier);  // @nested launch
}
TEST(LaunchDeath, RefusesToLaunchFromAKernel) {
  EXPECT_MESSAGE(launch_from_a_kernel, 1, "nested launch", "0", "launches a kernel from a kernel");
}

__global__ void throw_one() {
  if (blockIdx.x == 1) throw 1;
}
TEST(LaunchDeath, EndsTheProgram_WhenAKernelThrows) {
  EXPECT_DEATH(run(throw_one, 1), "terminate called after throwing an instance of 'int'");
}

/// Deeper than any stack. The array and the result keep it from becoming a loop.
int sink = 0;
__device__ int recurse(int depth) {  // NOLINT
  volatile char frame[1000];
  frame[depth % 1000] = static_cast<char>(depth);
  const int below = depth == 0 ? 0 : recurse(depth - 1);
  return below + frame[depth % 1000];
}
__global__ void overflow_its_stack(int depth) {
  __syncthreads();  // @before overflow
  if (blockIdx.x == 1 && threadIdx.x == 5) sink = recurse(depth);
}
TEST(StackDeath, StopsAtTheGuard_WhenAThreadOverflows) {
  const auto overflow = [] { launch({.grid = {2}, .block = {8}}, overflow_its_stack, 1 << 20); };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_DEATH(overflow(), "Sanitizer: (stack-overflow|SEGV).*");
#else
  EXPECT_DEATH(overflow(), tests::marked_place(kHere, "before overflow") +
                               ": block \\(1,0,0\\), thread \\(5,0,0\\): its stack of 256 KiB overflows");
#endif
}

TEST(StackDeath, IsNotInTheWay_OfOtherWrongAddresses) {
  EXPECT_EXIT(
      {
        launch({.grid = {1}, .block = {1}}, overflow_its_stack, 0);
        volatile int* const nowhere = nullptr;
        *nowhere = 1;
      },
      [](int status) { return status != 0; }, "");
}

}  // namespace
}  // namespace gnc::kernels
