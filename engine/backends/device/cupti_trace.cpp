#include <cuda.h>
#include <cuda_runtime.h>
#include <cupti.h>
#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

#include "engine/backends/device/device_trace.h"
#include "engine/backends/device/dynamic_library.h"

namespace gnc {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{8} << 20;
constexpr std::size_t kBufferAlignment = 8;

/// CUPTI's functions, found through the loader.
class Cupti {
 public:
  Cupti() : library_("libcupti.so." + std::to_string(CUDART_VERSION / 1000)) {}

#define GNC_CUPTI_FUNCTION(name) decltype(&::name) name = library_.load<decltype(&::name)>(#name)

 private:
  DynamicLibrary library_;

 public:
  GNC_CUPTI_FUNCTION(cuptiActivityRegisterCallbacks);
  GNC_CUPTI_FUNCTION(cuptiActivityRegisterTimestampCallback);
  GNC_CUPTI_FUNCTION(cuptiActivityEnable);
  GNC_CUPTI_FUNCTION(cuptiActivityDisable);
  GNC_CUPTI_FUNCTION(cuptiActivityFlushAll);
  GNC_CUPTI_FUNCTION(cuptiActivityGetNextRecord);
  GNC_CUPTI_FUNCTION(cuptiActivityGetNumDroppedRecords);
  GNC_CUPTI_FUNCTION(cuptiActivityPushExternalCorrelationId);
  GNC_CUPTI_FUNCTION(cuptiActivityPopExternalCorrelationId);
  GNC_CUPTI_FUNCTION(cuptiSubscribe);
  GNC_CUPTI_FUNCTION(cuptiUnsubscribe);
  GNC_CUPTI_FUNCTION(cuptiEnableCallback);
  GNC_CUPTI_FUNCTION(cuptiGetGraphNodeId);
  GNC_CUPTI_FUNCTION(cuptiGetResultString);
#undef GNC_CUPTI_FUNCTION

  void require_ok(CUptiResult result, const char* what) const {
    if (result == CUPTI_SUCCESS) return;
    const char* text = "unknown error";
    cuptiGetResultString(result, &text);
    throw BackendError(fmt::format("backend cuda: CUPTI: {}: {}", what, text));
  }
};

std::string demangled(const char* name) {
  if (name == nullptr) return "kernel";
  int status = 0;
  char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return result;
}

/// The clock of the host's times.
std::uint64_t CUPTIAPI host_time() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

constexpr CUpti_ActivityKind kKinds[] = {
    CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,    CUPTI_ACTIVITY_KIND_MEMCPY,  CUPTI_ACTIVITY_KIND_MEMSET,
    CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION, CUPTI_ACTIVITY_KIND_RUNTIME, CUPTI_ACTIVITY_KIND_DRIVER};
constexpr CUpti_CallbackId kCallbacks[] = {CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED,
                                           CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED};

}  // namespace

/// CUPTI calls back without a pointer of ours: the one recorder that there is stands in `current`. CUPTI has
/// locks of its own around its callbacks, so that none of its functions is called under ours.
class DeviceTrace::Recorder {
 public:
  Recorder();
  ~Recorder();

  void begin_label(std::string_view layer, std::string_view op);
  void end_label();
  DeviceRecord stop(std::int64_t begin, std::int64_t end);

 private:
  struct Labelled {
    std::string layer;
    std::string op;
  };
  /// A record as far as it is of use. Names are CUPTI's, one for all records of a kernel.
  struct Raw {
    DeviceWork work = DeviceWork::kKernel;
    const char* name = nullptr;
    std::uint32_t stream = 0;
    std::uint32_t correlation = 0;
    std::uint64_t node = 0;  // of a graph; 0: none
    std::int64_t begin = 0;
    std::int64_t end = 0;
    double bytes = 0;
  };
  /// A call into CUDA and the label around it.
  struct Call {
    std::uint32_t correlation = 0;
    std::uint64_t label = 0;
  };

  static void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* most_records);
  static void CUPTIAPI take_buffer(CUcontext context, std::uint32_t stream, std::uint8_t* buffer, std::size_t,
                                   std::size_t valid);
  static void CUPTIAPI note_node(void*, CUpti_CallbackDomain, CUpti_CallbackId id, const void* data);
  void take(CUcontext context, std::uint32_t stream, std::uint8_t* buffer, std::size_t valid);
  void read(const CUpti_Activity& record);
  void note(CUpti_CallbackId id, const CUpti_GraphData& graph);
  /// Of what the record belongs to; 0: none.
  std::uint64_t label_of(const Raw& raw) const;
  void finish();

  static std::atomic<Recorder*> current;

  Cupti cupti_;
  CUpti_SubscriberHandle subscriber_ = nullptr;
  bool is_running_ = false;
  std::mutex mutex_;                     // CUPTI's own thread hands buffers over
  std::vector<Labelled> labels_ = {{}};  // 0: none
  std::uint64_t label_ = 0;              // of what is queued now
  std::map<std::pair<std::string, std::string>, std::uint64_t> places_;
  std::unordered_map<std::uint64_t, std::uint64_t> label_of_node_;
  std::unordered_map<std::uint32_t, std::uint64_t> label_of_correlation_;
  std::vector<Raw> raw_;
  std::vector<Call> calls_;
  std::size_t dropped_ = 0;
};

std::atomic<DeviceTrace::Recorder*> DeviceTrace::Recorder::current = nullptr;

DeviceTrace::Recorder::Recorder() {
  require<BackendError>(current == nullptr, "backend cuda: the device is being traced already");
  cupti_.require_ok(cupti_.cuptiSubscribe(
                        &subscriber_, reinterpret_cast<CUpti_CallbackFunc>(&Recorder::note_node), nullptr),
                    "subscribing (is another profiler attached?)");
  current = this;
  try {
    for (const CUpti_CallbackId id : kCallbacks)
      cupti_.require_ok(cupti_.cuptiEnableCallback(1, subscriber_, CUPTI_CB_DOMAIN_RESOURCE, id),
                        "watching graphs");
    cupti_.require_ok(cupti_.cuptiActivityRegisterTimestampCallback(&host_time), "setting the clock");
    cupti_.require_ok(cupti_.cuptiActivityRegisterCallbacks(&Recorder::give_buffer, &Recorder::take_buffer),
                      "registering buffers");
    for (const CUpti_ActivityKind kind : kKinds)
      cupti_.require_ok(cupti_.cuptiActivityEnable(kind), "enabling activity records");
    is_running_ = true;
  } catch (...) {
    finish();
    throw;
  }
}

DeviceTrace::Recorder::~Recorder() { finish(); }

void DeviceTrace::Recorder::finish() {
  if (subscriber_ == nullptr) return;
  for (const CUpti_ActivityKind kind : kKinds) static_cast<void>(cupti_.cuptiActivityDisable(kind));
  static_cast<void>(cupti_.cuptiActivityFlushAll(1));
  static_cast<void>(cupti_.cuptiUnsubscribe(std::exchange(subscriber_, nullptr)));
  current = nullptr;
  is_running_ = false;
}

void DeviceTrace::Recorder::begin_label(std::string_view layer, std::string_view op) {
  std::uint64_t label = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = places_.try_emplace({std::string(layer), std::string(op)}, labels_.size());
    if (is_new) labels_.push_back({std::string(layer), std::string(op)});
    label = label_ = place->second;
  }
  static_cast<void>(
      cupti_.cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, label));
}

void DeviceTrace::Recorder::end_label() {
  std::uint64_t last = 0;
  static_cast<void>(
      cupti_.cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, &last));
  const std::lock_guard lock(mutex_);
  label_ = 0;
}

void DeviceTrace::Recorder::give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* most_records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(kBufferAlignment, kBufferBytes));
  *size = *buffer == nullptr ? 0 : kBufferBytes;
  *most_records = 0;  // as many as fit
}

void DeviceTrace::Recorder::take_buffer(CUcontext context, std::uint32_t stream, std::uint8_t* buffer,
                                        std::size_t, std::size_t valid) {
  Recorder* const recorder = current;
  if (recorder != nullptr && valid > 0) recorder->take(context, stream, buffer, valid);
  std::free(buffer);
}

/// What does not fit into memory is as good as dropped: nothing may be thrown into CUPTI.
void DeviceTrace::Recorder::take(CUcontext context, std::uint32_t stream, std::uint8_t* buffer,
                                 std::size_t valid) {
  std::size_t dropped = 0;
  if (cupti_.cuptiActivityGetNumDroppedRecords(context, stream, &dropped) != CUPTI_SUCCESS) dropped = 0;
  CUpti_Activity* record = nullptr;
  while (cupti_.cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    const std::lock_guard lock(mutex_);
    try {
      read(*record);
    } catch (const std::bad_alloc&) {
      ++dropped_;
    }
  }
  const std::lock_guard lock(mutex_);
  dropped_ += dropped;
}

void DeviceTrace::Recorder::note_node(void*, CUpti_CallbackDomain, CUpti_CallbackId id, const void* data) {
  Recorder* const recorder = current;
  if (recorder == nullptr) return;
  const auto& resource = *static_cast<const CUpti_ResourceData*>(data);
  try {
    recorder->note(id, *static_cast<const CUpti_GraphData*>(resource.resourceDescriptor));
  } catch (const std::bad_alloc&) {
    // A node without a label is shown by its name.
  }
}

/// A node inherits the label of what was being recorded; a copy of a graph that of the node it copies. Nodes
/// that appear outside any label (a graph made executable) take none away.
void DeviceTrace::Recorder::note(CUpti_CallbackId id, const CUpti_GraphData& graph) {
  std::uint64_t node = 0, original = 0;
  if (cupti_.cuptiGetGraphNodeId(graph.node, &node) != CUPTI_SUCCESS) return;
  const bool is_copy = id == CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED;
  if (is_copy && cupti_.cuptiGetGraphNodeId(graph.originalNode, &original) != CUPTI_SUCCESS) return;
  const std::lock_guard lock(mutex_);
  if (!is_copy) {
    if (label_ != 0) label_of_node_.try_emplace(node, label_);
    return;
  }
  const auto found = label_of_node_.find(original);
  if (found == label_of_node_.end()) return;
  const std::uint64_t label = found->second;
  label_of_node_.try_emplace(node, label);
}

void DeviceTrace::Recorder::read(const CUpti_Activity& record) {
  const auto add = [&](const auto& work, DeviceWork kind, const char* name, double bytes) {
    raw_.push_back({.work = kind,
                    .name = name,
                    .stream = work.streamId,
                    .correlation = work.correlationId,
                    .node = work.graphNodeId,
                    .begin = static_cast<std::int64_t>(work.start),
                    .end = static_cast<std::int64_t>(work.end),
                    .bytes = bytes});
  };
  switch (record.kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
      // Later versions of this record have more at their end.
      const auto& kernel = reinterpret_cast<const CUpti_ActivityKernel9&>(record);
      return add(kernel, DeviceWork::kKernel, kernel.name, 0);
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY: {
      const auto& copy = reinterpret_cast<const CUpti_ActivityMemcpy5&>(record);
      return add(copy, DeviceWork::kCopy, "copy", static_cast<double>(copy.bytes));
    }
    case CUPTI_ACTIVITY_KIND_MEMSET: {
      const auto& fill = reinterpret_cast<const CUpti_ActivityMemset4&>(record);
      return add(fill, DeviceWork::kFill, "fill", static_cast<double>(fill.bytes));
    }
    case CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION: {
      const auto& external = reinterpret_cast<const CUpti_ActivityExternalCorrelation&>(record);
      calls_.push_back({.correlation = external.correlationId, .label = external.externalId});
      return;
    }
    default:
      return;
  }
}

std::uint64_t DeviceTrace::Recorder::label_of(const Raw& raw) const {
  if (const auto node = label_of_node_.find(raw.node); raw.node != 0 && node != label_of_node_.end())
    return node->second;
  const auto call = label_of_correlation_.find(raw.correlation);
  return call == label_of_correlation_.end() ? 0 : call->second;
}

DeviceRecord DeviceTrace::Recorder::stop(std::int64_t begin, std::int64_t end) {
  static_cast<void>(cudaDeviceSynchronize());
  if (is_running_) cupti_.require_ok(cupti_.cuptiActivityFlushAll(1), "flushing the records");
  finish();
  const std::lock_guard lock(mutex_);
  for (const Call& call : calls_) label_of_correlation_[call.correlation] = call.label;
  DeviceRecord result{.activities = {}, .dropped = dropped_};
  std::unordered_map<const char*, std::string> names;
  for (const Raw& raw : raw_) {
    if (raw.begin < begin || raw.begin >= end) continue;
    const auto [name, is_new] = names.try_emplace(raw.name);
    if (is_new) name->second = raw.work == DeviceWork::kKernel ? demangled(raw.name) : raw.name;
    const Labelled& label = labels_[label_of(raw)];
    result.activities.push_back({.work = raw.work,
                                 .name = name->second,
                                 .layer = label.layer,
                                 .op = label.op,
                                 .stream = raw.stream,
                                 .begin = raw.begin,
                                 .end = raw.end,
                                 .bytes = raw.bytes});
  }
  raw_.clear();
  calls_.clear();
  std::ranges::sort(result.activities, {}, &DeviceActivity::begin);
  return result;
}

DeviceTrace::DeviceTrace(Backend& backend) {
  require<BackendError>(backend.name() == "cuda", "{} has no device to trace; expected cuda", backend.name());
  recorder_ = std::make_unique<Recorder>();
}

DeviceTrace::~DeviceTrace() = default;

void DeviceTrace::begin_label(std::string_view layer, std::string_view op) {
  recorder_->begin_label(layer, op);
}
void DeviceTrace::end_label() { recorder_->end_label(); }
DeviceRecord DeviceTrace::stop(std::int64_t begin, std::int64_t end) { return recorder_->stop(begin, end); }

}  // namespace gnc
