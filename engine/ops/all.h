#pragma once
/// THE list of ops. One line per op; a backend that misses one does not compile, and so does a test without a
/// case table.

#include "engine/ops/adversarial.h"
#include "engine/ops/augment_normalize.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/batch_norm_conv2d.h"
#include "engine/ops/batch_norm_pool.h"
#include "engine/ops/batch_norm_shared.h"
#include "engine/ops/batch_norm_sum_conv2d.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/correlation_descent.h"
#include "engine/ops/cross_entropy.h"
#include "engine/ops/fixed_classifier_loss.h"
#include "engine/ops/focal_loss.h"
#include "engine/ops/gaussian_channel.h"
#include "engine/ops/gemm.h"
#include "engine/ops/normalize_rows.h"
#include "engine/ops/pointwise.h"
#include "engine/ops/pooling.h"
#include "engine/ops/sgd_step.h"
#include "engine/ops/squared_error.h"
#include "engine/ops/subsample.h"
#include "engine/ops/ufm_descent.h"

namespace gnc {

template <class... Ops>
struct OpList {
  static constexpr int kSize = sizeof...(Ops);
};

using AllOps =
    OpList<Add, AugmentNormalize, AveragePoolBackward, AveragePoolForward, BatchNormApply, BatchNormBackward,
           BatchNormConv2dBackward, BatchNormForward, BatchNormInference, BatchNormInferenceBackward,
           BatchNormMaxPoolBackward, BatchNormMaxPoolForward, BatchNormSharedBackward, BatchNormSharedFinish,
           BatchNormStatistics, BatchNormSumConv2dBackward, BiasBackward, BiasForward, BoundaryStep,
           Conv2dBackwardInput, Conv2dBackwardWeights, Conv2dForward, ConvertLayout, CorrelationDescent,
           CrossEntropy, FixedClassifierLoss, FocalLoss, GaussianChannel, Gemm, LogOddsGradient,
           MaxPoolBackward, MaxPoolForward, NearestBoundary, NormalizeRowsBackward, NormalizeRowsForward,
           ProjectedStep, ReluBackward, ReluForward, SgdStep, SquaredError, SubsampleBackward,
           SubsampleForward, UfmDescent>;

}  // namespace gnc
