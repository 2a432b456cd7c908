/// Samples are cut into blocks of kLanes that lie side by side, a sample a lane: noise [d][kLanes], then its
/// products with four codewords at a time, compared as they are made.
#include "engine/ops/gaussian_channel.h"

#include <algorithm>
#include <cmath>
#include <experimental/simd>
#include <vector>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/normal_lanes.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

constexpr int kLanes = 64;                         // samples of a block
constexpr std::int64_t kLeastChunk = 16 * kLanes;  // samples of a task
constexpr std::int64_t kMostChunks = 256;          // of a class and σ: sums of chunks take little memory
constexpr int kCodewords = 4;                      // that a block is multiplied with at a time

using Simd = std::experimental::native_simd<float>;

Simd load(const float* from) { return Simd(from, std::experimental::element_aligned); }

/// The experiment of one (run, σ, class).
class Sender {
 public:
  Sender(const GaussianChannel& op, int run, int s, int c)
      : codewords_(op.codewords.data<float>(run)),
        classes_(op.num_classes()),
        dim_(op.dim()),
        s_(static_cast<std::uint32_t>(s)),
        c_(static_cast<std::uint32_t>(c)) {
    const float sigma = op.sigmas.data<float>(run)[s];
    const std::int64_t row = std::int64_t{s} * classes_ + c;
    shares_ = op.proposals.data<float>(run) + row * classes_;
    is_plain_ = shares_[classes_ - 1] == 0;
    const std::uint64_t key = op.seed ^ kGaussianChannelKey;
    key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
    for (int j = 0; j < classes_; ++j) {
      float squared = 0;
      for (int k = 0; k < dim_; ++k) {
        const float difference = codeword(j)[k] - codeword(c)[k];
        squared += difference * difference;
      }
      distances_.push_back(std::sqrt(squared));
      // ⟨n, u⟩ >= t is ⟨n, M_j⟩ − ⟨n, M_c⟩ >= ‖M_j − M_c‖²/(2σ).
      bounds_.push_back(squared / (2 * sigma));
      thresholds_.push_back(distances_.back() / (2 * sigma));
    }
  }

  /// Σ of the weights of samples [first, last).
  double sum(std::int64_t first, std::int64_t last) const {
    std::vector<float> noise(static_cast<std::size_t>((dim_ + 3) / 4 * 4) * kLanes);
    double total = 0;
    for (std::int64_t begin = first; begin < last; begin += kLanes) {
      for (int block = 0; 4 * block < dim_; ++block) {
        cpu::draw_normals<kLanes>(static_cast<std::uint32_t>(begin),
                                  {static_cast<std::uint32_t>(block), c_, s_}, key_,
                                  noise.data() + std::int64_t{4} * block * kLanes);
      }
      if (!is_plain_) shift_into_half_spaces(static_cast<std::uint32_t>(begin), noise.data());
      float inside[kLanes] = {};
      count(noise.data(), inside);
      const int samples = static_cast<int>(std::min<std::int64_t>(kLanes, last - begin));
      for (int lane = 0; lane < samples; ++lane) {
        if (is_plain_)
          total += inside[lane] > 0 ? 1 : 0;
        else  // n lies in the chosen half-space by its making, whatever rounding says
          total += 1 / std::max(1.0, static_cast<double>(inside[lane]));
      }
    }
    return total;
  }

 private:
  const float* codeword(int j) const { return codewords_ + std::int64_t{j} * dim_; }

  /// Moves each lane's noise along the normal of a half-space drawn by the shares, to a depth within it.
  void shift_into_half_spaces(std::uint32_t first, float* noise) const {
    const float* const own = codeword(static_cast<int>(c_));
    int chosen[kLanes];
    float thresholds[kLanes], uniforms[kLanes], excesses[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto words =
          philox4x32({first + static_cast<std::uint32_t>(lane), kGaussianChannelChoice, c_, s_}, key_);
      const float* const share = std::upper_bound(shares_, shares_ + classes_ - 1, uniform(words[0]));
      chosen[lane] = static_cast<int>(share - shares_);
      thresholds[lane] = thresholds_[static_cast<std::size_t>(chosen[lane])];
      uniforms[lane] = uniform(words[1]);
    }
    cpu::tail_excesses<kLanes>(thresholds, uniforms, excesses);
    for (int lane = 0; lane < kLanes; ++lane) {
      const float* const toward = codeword(chosen[lane]);
      const float distance = distances_[static_cast<std::size_t>(chosen[lane])];
      const float inverse = distance == 0 ? 0.0f : 1 / distance;
      float along = 0;
      for (int k = 0; k < dim_; ++k) along += noise[k * kLanes + lane] * (toward[k] - own[k]);
      const float shift = (thresholds[lane] + excesses[lane] - along * inverse) * inverse;
      for (int k = 0; k < dim_; ++k) noise[k * kLanes + lane] += shift * (toward[k] - own[k]);
    }
  }

  static float uniform(std::uint32_t word) { return (static_cast<float>(word) + 0.5f) * 0x1p-32f; }

  /// In how many half-spaces each lane's noise lies.
  void count(const float* noise, float* inside) const {
    float own[kLanes];
    constexpr int kWidth = static_cast<int>(Simd::size());
    const float* const sent = codeword(static_cast<int>(c_));
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      Simd product = 0;
      for (int k = 0; k < dim_; ++k) product += sent[k] * load(noise + k * kLanes + lane);
      product.copy_to(own + lane, std::experimental::element_aligned);
    }
    for (int j = 0; j < classes_; j += kCodewords) {
      const int codewords = std::min(kCodewords, classes_ - j);
      if (codewords == kCodewords)
        count_tile<kCodewords>(j, noise, own, inside);
      else
        for (int i = 0; i < codewords; ++i) count_tile<1>(j + i, noise, own, inside);
    }
  }

  template <int kRows>
  void count_tile(int j, const float* noise, const float* own, float* inside) const {
    constexpr int kWidth = static_cast<int>(Simd::size());
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      Simd products[kRows] = {};
      for (int k = 0; k < dim_; ++k) {
        const Simd n = load(noise + k * kLanes + lane);
        for (int row = 0; row < kRows; ++row) products[row] += codeword(j + row)[k] * n;
      }
      Simd held = load(inside + lane);
      for (int row = 0; row < kRows; ++row) {
        if (j + row == static_cast<int>(c_)) continue;
        const Simd beyond = products[row] - load(own + lane);
        where(beyond >= bounds_[static_cast<std::size_t>(j + row)], held) += 1.0f;
      }
      held.copy_to(inside + lane, std::experimental::element_aligned);
    }
  }

  const float* codewords_;
  const float* shares_;
  int classes_;
  int dim_;
  std::uint32_t s_;
  std::uint32_t c_;
  bool is_plain_;
  std::array<std::uint32_t, 2> key_;
  std::vector<float> distances_, bounds_, thresholds_;
};

}  // namespace

void execute(CpuBackend&, const GaussianChannel& op) {
  cpu::require_fp32(op.kName, {{"codewords", op.codewords}});
  const std::int64_t share = (std::int64_t{op.samples} + kMostChunks - 1) / kMostChunks;
  const std::int64_t size = std::max(kLeastChunk, (share + kLanes - 1) / kLanes * kLanes);
  const std::int64_t chunks = (std::int64_t{op.samples} + size - 1) / size;
  const std::int64_t rows = std::int64_t{op.num_sigmas()} * op.num_classes();
  // Sums of chunks are added in their order, whoever made them.
  std::vector<double> sums(static_cast<std::size_t>(op.runs() * rows * chunks));
  cpu::parallel_tasks(op.runs() * rows * chunks, [&](std::int64_t task, int) {
    const std::int64_t chunk = task % chunks, row = task / chunks % rows;
    const int s = static_cast<int>(row / op.num_classes()), c = static_cast<int>(row % op.num_classes());
    const Sender sender(op, static_cast<int>(task / chunks / rows), s, c);
    sums[static_cast<std::size_t>(task)] =
        sender.sum(chunk * size, std::min<std::int64_t>((chunk + 1) * size, op.samples));
  });
  for (std::int64_t task = 0; task < op.runs() * rows; ++task) {
    double sum = 0;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
      sum += sums[static_cast<std::size_t>(task * chunks + chunk)];
    op.rates.data<float>(static_cast<int>(task / rows))[task % rows] = static_cast<float>(sum / op.samples);
  }
}

}  // namespace gnc
