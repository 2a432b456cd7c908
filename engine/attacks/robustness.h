#pragma once
/// How robust networks are against small changes of their inputs, on some pictures.

#include <cstdint>
#include <vector>

#include "engine/arena_guest.h"
#include "engine/attacks/deepfool.h"
#include "engine/attacks/gradient_attacks.h"
#include "engine/batch.h"
#include "engine/device_images.h"

namespace gnc {

struct RobustnessSettings {
  ProjectedGradientSettings gradient;  ///< its epsilon is FGSM's as well
  DeepFoolSettings deepfool;
  int batch_size = 256;
};

/// What attacks did to one run, picture by picture in the order of the set. A margin is z_y − max_{k≠y} z_k:
/// a picture is classified rightly where it is positive.
struct AttackedRun {
  std::vector<double> clean_margins;
  std::vector<double> fgsm_margins;  ///< the least of all pictures tried, the clean one included
  std::vector<double> pgd_margins;   ///< likewise
  /// DeepFool's, from the class predicted (right or wrong); infinite where it found no boundary.
  std::vector<double> distances;
};

/// The numbers that are written of it.
struct Robustness {
  double clean_accuracy = 0;
  double fgsm_accuracy = 0;    ///< of pictures that stay right, so at most the clean one
  double pgd_accuracy = 0;     ///< likewise
  double deepfool_fooled = 0;  ///< share of pictures for which DeepFool found a boundary
  double deepfool_mean = 0;    ///< over those; NaN where there are none
  double deepfool_median = 0;  ///< over all, the others being infinitely far
};
Robustness summarize(const AttackedRun& run);

/// Attacks all runs of a network on the pictures of a set.
class RobustnessMeter final : public ArenaGuest {
 public:
  /// Puts the pictures on the device. Run i's random starts are of seeds[i]: with equal seeds runs share
  /// them. The source and the network must outlive it. Throws OutOfMemoryError saying that the pictures of
  /// attacks did not fit.
  RobustnessMeter(Backend& backend, Network& network, const BatchSource& pictures,
                  const RobustnessSettings& settings, std::vector<std::uint64_t> seeds);

  int size() const { return images_.size(); }
  int batch_size() const override { return settings_.batch_size; }
  /// The ops of batches of every size that measure() has.
  void rehearse(Backend& backend, Arena& arena, int batch_size) override;
  /// "--robustness 20": as many of each class.
  std::string setting_for(int batch_size) const override;
  /// Attacks every run as its parameters stand. The starts of the gradient attack are addressed by (seed,
  /// `epoch`, picture), so they are the same for an ensemble, alone, and after a resume.
  std::vector<AttackedRun> measure(Arena& arena, int epoch);
  /// Of pictures and starts.
  std::size_t bytes() const override;

 private:
  /// The pictures as they are, in [0,1].
  class PlainSource final : public BatchSource {
   public:
    explicit PlainSource(const BatchSource& source);
    const ImageSet& images() const override { return source_.images(); }
    const Normalization& normalization() const override { return identity_; }
    EpochOrder order(std::uint64_t seed, int epoch) const override { return source_.order(seed, epoch); }

   private:
    const BatchSource& source_;
    Normalization identity_;
  };
  /// A batch as the attacks take it; keeps what they look at.
  struct Batch {
    LeasedTensor x;
    LeasedTensor clean;
    LeasedTensor start;
    AttackTarget target;
  };

  int runs() const { return static_cast<int>(seeds_.size()); }
  Batch batch(Backend& backend, Arena& arena, int samples) const;
  /// Random starts of the pictures from `first` on.
  void draw_starts(int epoch, int first, int samples);
  Tensor starts(int samples) const;

  Backend& backend_;
  Network& network_;
  PlainSource plain_;
  RobustnessSettings settings_;
  std::vector<std::uint64_t> seeds_;
  int orders_;  // of starts: one where all runs have one seed
  DeviceImages images_;
  DeviceImages pictures_;
  DeviceTensor scale_;
  DeviceTensor offset_;
  DeviceTensor starts_;  // [batch_size,C,H,W] row-major
};

}  // namespace gnc
