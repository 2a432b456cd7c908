#include <cstdint>
#include <vector>

#include "kernels/simt_tensor_core.h"
#include "tests/simt/programs.h"

// Bugs in kernels. The marks are of the lines that AddressSanitizer must name.
namespace gnc::tests {
namespace {

using namespace kernels;

/// Read by the sanitizer when the program starts.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=1"; }

__global__ void read_past_the_end(const float* in, float* out) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  __syncthreads();
  out[i] = in[i + 1];  // @global read
}
void global_read() {
  std::vector<float> in(3 * 33), out(in.size());
  launch({.grid = {3}, .block = {33}}, read_past_the_end, in.data(), out.data());
}

__global__ void write_before_the_start(float* out) {
  out[static_cast<int>(threadIdx.x) - 1] = 1;  // @global write
}
void global_write() {
  std::vector<float> out(32);
  launch({.grid = {1}, .block = {32}}, write_before_the_start, out.data());
}

__global__ void read_freed(const float* in, float* out) {
  *out = *in;  // @freed read
}
void freed_read() {
  float out = 0;
  const float* in = nullptr;
  {
    const std::vector<float> gone(32);
    in = gone.data();
  }
  launch({.grid = {1}, .block = {1}}, read_freed, in, &out);
}

__global__ void read_past_shared(int* out) {
  auto* const bytes = dynamic_shared<unsigned char>();
  bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
  __syncthreads();
  *out = bytes[blockDim.x];  // @dynamic shared read
}
void dynamic_shared_read() {
  int out = 0;
  launch({.grid = {1}, .block = {33}, .shared_bytes = 33}, read_past_shared, &out);
}

__global__ void write_past_static(int last, float* out) {
  __shared__ float tile[32];
  for (int i = 0; i <= last; ++i) tile[i] = 0;  // @static shared write
  *out = tile[last / 2];
}
void static_shared_write() {
  float out = 0;
  launch({.grid = {1}, .block = {1}}, write_past_static, 32, &out);
}

__attribute__((noinline)) float element(const float* numbers, int i) {
  return numbers[i];  // @local read
}
__global__ void read_past_local(int last, float* out) {
  float local[4] = {1, 2, 3, 4};
  __syncthreads();
  for (int i = 0; i <= last; ++i) *out += element(local, i);
}
void local_read() {
  float out = 0;
  launch({.grid = {1}, .block = {1}}, read_past_local, 4, &out);
}

__attribute__((noinline)) float* address_of_local(float value) {
  volatile float local[2] = {value, value};
  const auto address = reinterpret_cast<std::uintptr_t>(local);
  return reinterpret_cast<float*>(address);  // NOLINT: that is the bug
}
__global__ void read_after_return(float* out) {
  float* const gone = address_of_local(1);
  __syncthreads();
  out[threadIdx.x] = *gone;  // @read after return
}
void use_after_return() {
  std::vector<float> out(33);
  launch({.grid = {1}, .block = {33}}, read_after_return, out.data());
}

__global__ void copy_past_the_end(const float* in) {
  auto* const stage = dynamic_shared<float>();
  cp_async<16>(stage + 4 * threadIdx.x, in + 4 * threadIdx.x);  // @copy source
  cp_async_commit();
  cp_async_wait<0>();
}
void copy_source() {
  const std::vector<float> in(4 * 32 - 1);
  launch({.grid = {1}, .block = {32}, .shared_bytes = 512}, copy_past_the_end, in.data());
}

__global__ void copy_past_shared(const float* in) {
  auto* const stage = dynamic_shared<float>();
  cp_async<16>(stage + 4 * threadIdx.x, in, false);  // @copy destination
  cp_async_commit();
  cp_async_wait<0>();
}
void copy_destination() {
  const std::vector<float> in(4);
  launch({.grid = {1}, .block = {32}, .shared_bytes = 508}, copy_past_shared, in.data());
}

__global__ void load_past_shared() {
  auto* const tile = dynamic_shared<std::uint16_t>();
  std::uint32_t fragment[4];
  ldmatrix_x4(fragment, tile + 8 * threadIdx.x);  // @ldmatrix row
}
void ldmatrix_row() { launch({.grid = {1}, .block = {32}, .shared_bytes = 510}, load_past_shared); }

__global__ void touch_everything(const float* in, float* out) {
  auto* const stage = dynamic_shared<float>();
  const unsigned i = threadIdx.x;
  cp_async<4>(stage + i, in + i);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  volatile float local[8] = {};
  for (unsigned j = 0; j < 8; ++j) local[j] = stage[(i + j) % blockDim.x];
  out[i] = local[7];
}
void nothing() {
  const std::vector<float> in(77);
  std::vector<float> out(77);
  for (int repeat = 0; repeat < 20; ++repeat)
    launch({.grid = {1}, .block = {77}, .shared_bytes = 77 * sizeof(float)}, touch_everything, in.data(),
           out.data());
}

}  // namespace

Programs address_programs() {
  return {{"global read", global_read},
          {"global write", global_write},
          {"freed read", freed_read},
          {"dynamic shared read", dynamic_shared_read},
          {"static shared write", static_shared_write},
          {"local read", local_read},
          {"read after return", use_after_return},
          {"copy source", copy_source},
          {"copy destination", copy_destination},
          {"ldmatrix row", ldmatrix_row},
          {"no fault", nothing}};
}

}  // namespace gnc::tests
