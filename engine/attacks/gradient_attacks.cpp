#include "engine/attacks/gradient_attacks.h"

namespace gnc {
namespace {

/// Lowers the margins by those of pictures as the network sees them.
void take_margins(const AttackTarget& target, LeasedTensor x, const Tensor& margins) {
  Pass pass(target.backend, target.arena, Mode::kEvaluate);
  const LeasedTensor logits = target.network.forward(std::move(x), pass);
  target.backend.run(LogOddsGradient{
      .logits = logits.tensor(), .labels = target.labels, .margins = margins, .logits_grad = {}});
}

/// The same, and the gradient of the log-odds in x.
LeasedTensor climb(const AttackTarget& target, LeasedTensor x, const Tensor& margins) {
  const InputDifferentiation at(target.network, target.backend, target.arena, std::move(x));
  const LeasedTensor direction(target.arena, at.logits().spec());
  target.backend.run(LogOddsGradient{
      .logits = at.logits(), .labels = target.labels, .margins = margins, .logits_grad = direction.tensor()});
  return at.of_logits(direction.tensor());
}

/// Clean pictures of every run, and room for them as the network sees them.
struct Moved {
  LeasedTensor pictures;
  LeasedTensor x;

  explicit Moved(const AttackTarget& target) : pictures(target.lease_pictures()), x(target.lease_x()) {
    target.backend.run(ConvertLayout{.x = target.clean, .y = pictures.tensor()});
  }
  void step(const AttackTarget& target, const ConstTensor& direction, StepDirection kind, float size,
            float radius) {
    target.backend.run(ProjectedStep{.clean = target.clean,
                                     .direction = direction,
                                     .scale = target.scale,
                                     .offset = target.offset,
                                     .pictures = pictures.tensor(),
                                     .x = x.tensor(),
                                     .size = size,
                                     .radius = radius,
                                     .kind = kind});
  }
  /// x, for a pass that does not write over it.
  LeasedTensor input() const { return LeasedTensor::borrowed(x.tensor()); }
};

}  // namespace

void take_clean_margins(const AttackTarget& target, const Tensor& margins) {
  take_margins(target, target.clean_x(), margins);
}

LeasedTensor fast_gradient_sign(const AttackTarget& target, float epsilon, const Tensor& margins) {
  Moved moved(target);
  moved.step(target, climb(target, target.clean_x(), margins).tensor(), StepDirection::kSign, epsilon,
             epsilon);
  take_margins(target, moved.input(), margins);
  return moved.pictures;
}

LeasedTensor projected_gradient(const AttackTarget& target, const ProjectedGradientSettings& settings,
                                const ConstTensor& start, const Tensor& margins) {
  const float epsilon = settings.epsilon;
  Moved moved(target);
  moved.step(target, start, StepDirection::kAsItIs, epsilon, epsilon);
  for (int step = 0; step < settings.steps; ++step) {
    const LeasedTensor gradient = climb(target, moved.input(), margins);
    moved.step(target, gradient.tensor(), StepDirection::kSign, settings.relative_step * epsilon, epsilon);
  }
  take_margins(target, moved.input(), margins);
  return moved.pictures;
}

}  // namespace gnc
