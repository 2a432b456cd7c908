#include <cstdint>
#include <vector>

#include "kernels/simt_tensor_core.h"
#include "tests/simt/block_sum.h"
#include "tests/simt/programs.h"

// Each with a race and without. The marks are of the lines that ThreadSanitizer must name.
namespace gnc::tests {
namespace {

using namespace kernels;

/// Read by the sanitizer when the program starts: else it would sleep a second at its end.
extern "C" const char* __tsan_default_options() { return "atexit_sleep_ms=0"; }

template <Barriers kBarriers>
void run_block_sums() {
  constexpr unsigned kThreads = 96;
  std::vector<int> sums(3 * kThreads);
  launch({.grid = {1}, .block = {kThreads}}, block_sums<kBarriers>, 3, sums.data());
}

/// Two warps meet at one word between two barriers. Whichever is first is at the second barrier before the
/// other leaves the first.
__global__ void read_between_barriers(int* out) {
  __shared__ int cell;
  __syncthreads();
  if (threadIdx.x == 0) cell = 1;      // @late write
  if (threadIdx.x == 32) *out = cell;  // @late read
  __syncthreads();
}
void run_read_between_barriers() {
  int out = 0;
  launch({.grid = {1}, .block = {64}}, read_between_barriers, &out);
}

/// What stands between a lane's write and its neighbour's read.
enum class Between { kSyncwarp, kShuffle, kNothing };
template <Between kBetween>
__global__ void pass_on(int* out) {
  __shared__ int cell[32];
  const unsigned lane = threadIdx.x;
  cell[lane] = static_cast<int>(lane);  // @warp write
  if constexpr (kBetween == Between::kSyncwarp) __syncwarp();
  if constexpr (kBetween == Between::kShuffle) __shfl_sync(0xffffffffu, 1, 0);
  out[lane] = cell[(lane + 1) % 32];  // @warp read
}
template <Between kBetween>
void run_pass_on() {
  std::vector<int> out(32);
  launch({.grid = {1}, .block = {32}}, pass_on<kBetween>, out.data());
}

template <bool kIsAtomic>
__global__ void count_blocks(int* blocks) {
  if (threadIdx.x != 0) return;
  if constexpr (kIsAtomic)
    atomicAdd(blocks, 1);
  else
    *blocks += 1;  // @count
}
template <bool kIsAtomic>
void run_count_blocks() {
  int blocks = 0;
  launch({.grid = {2}, .block = {32}}, count_blocks<kIsAtomic>, &blocks);
}

template <bool kHasFences>
__global__ void sum_in_last_block(int* parts, unsigned* done, int* sum) {
  parts[blockIdx.x] = static_cast<int>(blockIdx.x);  // @part write
  if constexpr (kHasFences) __threadfence();
  const bool is_last = atomicAdd(done, 1) == gridDim.x - 1;
  if constexpr (kHasFences) __threadfence();
  if (!is_last) return;
  for (unsigned block = 0; block < gridDim.x; ++block) *sum += parts[block];  // @part read
}
template <bool kHasFences>
void run_sum_in_last_block() {
  std::vector<int> parts(16);
  unsigned done = 0;
  int sum = 0;
  launch({.grid = {16}, .block = {1}}, sum_in_last_block<kHasFences>, parts.data(), &done, &sum);
}

/// Copies into a stage that another warp reads.
template <bool kHasBarrier>
__global__ void restart_stage(const float* in, float* out) {
  auto* const stage = dynamic_shared<float>();
  stage[threadIdx.x] = 0;
  __syncthreads();
  out[threadIdx.x] = stage[(threadIdx.x + 32) % 64];  // @stage read
  if constexpr (kHasBarrier) __syncthreads();
  cp_async<4>(stage + threadIdx.x, in + threadIdx.x);  // @stage copy
  cp_async_commit();
  __syncthreads();
  cp_async_wait<0>();
}
template <bool kHasBarrier>
void run_restart_stage() {
  const std::vector<float> in(64);
  std::vector<float> out(64);
  launch({.grid = {1}, .block = {64}, .shared_bytes = 256}, restart_stage<kHasBarrier>, in.data(),
         out.data());
}

/// Lanes write rows, ldmatrix reads those of other lanes.
template <bool kHasSync>
__global__ void load_rows(std::uint32_t* out) {
  auto* const tile = dynamic_shared<std::uint16_t>();
  for (unsigned i = 0; i < 8; ++i) tile[threadIdx.x * 8 + i] = 1;  // @row write
  if constexpr (kHasSync) __syncwarp();
  std::uint32_t fragment[4];
  ldmatrix_x4(fragment, tile + threadIdx.x * 8);  // @row load
  out[threadIdx.x] = fragment[3];
}
template <bool kHasSync>
void run_load_rows() {
  std::vector<std::uint32_t> out(32);
  launch({.grid = {1}, .block = {32}, .shared_bytes = 512}, load_rows<kHasSync>, out.data());
}

/// Static and dynamic shared memory one block after another, and launches after each other.
__global__ void leave_and_find(int* out) {
  __shared__ int cell;
  auto* const word = dynamic_shared<int>();
  if (threadIdx.x == 5) cell = *word = static_cast<int>(blockIdx.x);
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] += cell + *word;
}
void run_many_blocks() {
  std::vector<int> out(64 * 8);
  for (int i = 0; i < 20; ++i)
    launch({.grid = {8}, .block = {64}, .shared_bytes = 4}, leave_and_find, out.data());
}

}  // namespace

Programs thread_programs() {
  return {{"partials unsynced", run_block_sums<Barriers::kNoneAfterPartials>},
          {"partials reused", run_block_sums<Barriers::kNoneBeforeReuse>},
          {"partials", run_block_sums<Barriers::kBoth>},
          {"between barriers", run_read_between_barriers},
          {"warp unsynced", run_pass_on<Between::kNothing>},
          {"warp shuffled", run_pass_on<Between::kShuffle>},
          {"warp", run_pass_on<Between::kSyncwarp>},
          {"blocks racing", run_count_blocks<false>},
          {"blocks", run_count_blocks<true>},
          {"last block unfenced", run_sum_in_last_block<false>},
          {"last block", run_sum_in_last_block<true>},
          {"stage restarted", run_restart_stage<false>},
          {"stage", run_restart_stage<true>},
          {"rows unsynced", run_load_rows<false>},
          {"rows", run_load_rows<true>},
          {"many blocks", run_many_blocks}};
}

}  // namespace gnc::tests
