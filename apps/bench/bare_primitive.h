#pragma once
/// oneDNN's own answer to an op: the primitives that do its work, on operands of their own.

#include <dnnl.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/ops/all.h"

namespace gnc {

/// One primitive or several, one after another. What they compute is of no interest; the time is.
class BarePrimitive {
 public:
  BarePrimitive() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

  const dnnl::engine& engine() const { return engine_; }
  /// oneDNN's name of the implementation, e.g. "jit:avx512_core"; that of the first primitive.
  const std::string& implementation() const { return implementation_; }
  /// Adds a primitive; operands of these descriptions are made for it.
  void add(const dnnl::primitive& primitive, const std::string& implementation,
           const std::vector<std::pair<int, dnnl::memory::desc>>& arguments);
  /// Runs all of them once and waits.
  void execute();

 private:
  struct Bound {
    dnnl::primitive primitive;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::string implementation_;
  std::vector<Bound> primitives_;
};

// Images are NHWC, as the backend `cpu` has them; one run. Null where oneDNN has nothing of the kind.

std::unique_ptr<BarePrimitive> make_bare(const Add& op);
std::unique_ptr<BarePrimitive> make_bare(const AveragePoolBackward& op);
std::unique_ptr<BarePrimitive> make_bare(const AveragePoolForward& op);
std::unique_ptr<BarePrimitive> make_bare(const BatchNormBackward& op);
std::unique_ptr<BarePrimitive> make_bare(const BatchNormForward& op);
std::unique_ptr<BarePrimitive> make_bare(const BatchNormInference& op);
std::unique_ptr<BarePrimitive> make_bare(const BiasBackward& op);
std::unique_ptr<BarePrimitive> make_bare(const BiasForward& op);
std::unique_ptr<BarePrimitive> make_bare(const ConvertLayout& op);
/// Log-softmax and its backward pass, without the loss.
std::unique_ptr<BarePrimitive> make_bare(const CrossEntropy& op);
std::unique_ptr<BarePrimitive> make_bare(const Gemm& op);
std::unique_ptr<BarePrimitive> make_bare(const MaxPoolBackward& op);
std::unique_ptr<BarePrimitive> make_bare(const MaxPoolForward& op);
std::unique_ptr<BarePrimitive> make_bare(const ReluBackward& op);
std::unique_ptr<BarePrimitive> make_bare(const ReluForward& op);

}  // namespace gnc
