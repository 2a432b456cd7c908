#pragma once
/// The case tables of all ops. An op without one does not compile in the tests.

#include "tests/ops/cases/augment_normalize.h"
#include "tests/ops/cases/batch_norm.h"
#include "tests/ops/cases/batch_norm_inference_backward.h"
#include "tests/ops/cases/classification_losses.h"
#include "tests/ops/cases/conv2d.h"
#include "tests/ops/cases/correlation_descent.h"
#include "tests/ops/cases/cross_entropy.h"
#include "tests/ops/cases/fixed_classifier_loss.h"
#include "tests/ops/cases/gaussian_channel.h"
#include "tests/ops/cases/gemm.h"
#include "tests/ops/cases/normalize_rows.h"
#include "tests/ops/cases/pointwise.h"
#include "tests/ops/cases/pooling.h"
#include "tests/ops/cases/sgd_step.h"
#include "tests/ops/cases/subsample.h"
#include "tests/ops/cases/ufm_descent.h"
