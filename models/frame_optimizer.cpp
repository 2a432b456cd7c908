#include "models/frame_optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "engine/linalg.h"
#include "models/frame_bounds.h"
#include "models/frame_constructions.h"
#include "models/frame_known.h"
#include "models/frame_moves.h"
#include "models/frame_polish.h"
#include "models/frame_restarts.h"
#include "models/frame_search.h"

namespace gnc {
namespace {

constexpr double kHit = 1e-7;        // values this close count as the same
constexpr double kEstimated = 1e-4;  // values estimated in fp32 this close count as the same
constexpr double kReached = 2e-8;    // to a known value; optima that are not isolated polish to about this

/// What is estimated (in fp32) to be farther from the best than this is taken not to become it. Estimates of
/// ends in double were within 7e-5 of the refined values, (3,14) to (8,40); in fp32 it was not measured.
constexpr double kHopeful = 2e-4;

/// Operations a core does in a second, about (FrameRestarts::evaluation_cost()).
constexpr double kOperationsPerSecond = 2.5e10;

enum class Origin : std::uint8_t { kRestart, kHop, kNudge, kSplice, kSymmetry, kCode, kNeighbour };

std::string_view to_string(Origin origin) {
  constexpr std::string_view kNames[] = {"restarts", "hopping", "nudge",    "splice",
                                         "symmetry", "code",    "neighbour"};
  return kNames[static_cast<std::size_t>(origin)];
}

struct Member {
  SearchEnd end;
  Origin origin = Origin::kRestart;
};

/// The best distinct ends at one size.
class Population {
 public:
  Population(const OptimizerSettings& settings, int classes)
      : settings_(settings),
        restarts_(settings.objective, settings.dim, classes, settings.steps, settings.backend) {}

  const FrameRestarts& restarts() const { return restarts_; }
  const std::vector<Member>& members() const { return members_; }
  double best_value() const {
    return members_.empty() ? std::numeric_limits<double>::infinity() : members_.front().end.point.value;
  }
  int descents() const { return descents_; }
  int cold_descents() const { return cold_descents_; }
  /// Cold starts whose end is estimated to be the best one.
  int found() const {
    return static_cast<int>(std::ranges::count_if(
        cold_estimates_, [this](double estimate) { return estimate <= best_value() + kEstimated; }));
  }
  int cold_hits() const { return cold_hits_; }
  double spent() const { return spent_; }
  bool is_empty() const { return members_.empty(); }

  /// One of the members, the better ones more often.
  const Eigen::MatrixXd& pick(double uniform) const {
    const auto index = static_cast<std::size_t>(uniform * uniform * static_cast<double>(members_.size()));
    return members_[index].end.point.vectors;
  }

  /// A batch of descents. `origin(i)` says of what kind start i is, `start(i, origin)` makes it.
  template <class OriginOf, class Maker>
  void run(int count, const OriginOf& origin, const Maker& start, const BatchProgress& progress) {
    std::vector<SearchEnd> ends = restarts_.descend(
        count, [&](int i) { return start(i, origin(i)); }, abandon_above(), progress);
    descents_ += count;
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < count; ++i) {
      const SearchEnd& end = ends[static_cast<std::size_t>(i)];
      spent_ += static_cast<double>(end.evaluations) * restarts_.evaluation_cost();
      if (origin(i) == Origin::kRestart) {
        ++cold_descents_;
        if (!end.is_abandoned) cold_estimates_.push_back(end.point.estimate);
      }
      if (!end.is_abandoned) least = std::min(least, end.point.estimate);
    }
    std::vector<std::pair<double, int>> order;
    for (int i = 0; i < count; ++i) {
      const SearchEnd& end = ends[static_cast<std::size_t>(i)];
      const double limit = std::max(std::min(best_value(), least) + kHopeful, worst_kept());
      if (!end.is_abandoned && end.point.estimate <= limit) order.emplace_back(end.point.estimate, i);
    }
    std::sort(order.begin(), order.end());
    // Refining takes about as long as a descent: not more than a part of the batch.
    const std::size_t most = std::max<std::size_t>(16, static_cast<std::size_t>(count) / 8);
    if (order.size() > most) order.resize(most);
    refine(ends, order, origin);
  }

  /// Moves the best members a little and sharpens them again: optima that differ by 1e-7 lie so near to each
  /// other (lines (3,50), (4,36)) that below 2¹⁶ they are one.
  void shake(const RandomStream& stream) {
    constexpr double kSharpness = 1 << 16;
    constexpr std::size_t kBest = 3;
    if (members_.empty() || members_.front().end.point.vectors.size() > 1000) return;
    const double seconds = sharpening_cost() / kOperationsPerSecond;
    std::vector<Member> shaken(static_cast<std::size_t>(std::clamp(0.5 / seconds, 1.0, 6.0)));
    for_each_on_threads(static_cast<int>(shaken.size()), [&](int k) {
      const auto index = static_cast<std::size_t>(k);
      Member& member = shaken[index];
      member = members_[std::min(index / 2, std::min(kBest, members_.size()) - 1)];
      SearchPoint& point = member.end.point;
      const double distance = 0.002 * std::pow(10.0, stream.uniform(std::uint64_t{1} << 40 | index));
      const Eigen::MatrixXd shift =
          gaussian_matrix(RandomStream(settings_.seed, "frame shake", stream.bits(index)[0]),
                          point.vectors.rows(), point.vectors.cols());
      point.vectors = sharpen_correlation(point.vectors + distance * shift, settings_.objective, kSharpness);
      point.value = largest_correlation(point.vectors, settings_.objective);
      point.estimate = point.value;
    });
    spent_ += static_cast<double>(shaken.size()) * sharpening_cost();
    const double before = best_value();
    for (const Member& member : shaken) insert(member);
    if (best_value() < before - kHit) cold_hits_ = 0;
  }

 private:
  static constexpr std::size_t kMostMembers = 16;

  double worst_kept() const {
    return members_.size() < kMostMembers ? -std::numeric_limits<double>::infinity()
                                          : members_.back().end.point.value;
  }
  double abandon_above() const {
    if (members_.empty()) return std::numeric_limits<double>::infinity();
    return std::max(best_value() + kHopeful, worst_kept());
  }

  /// Iterations between two multiplier steps, fewer where one takes milliseconds.
  int affordable_iterations() const {
    return std::min(settings_.steps,
                    static_cast<int>(std::clamp(3e10 / restarts_.evaluation_cost(), 100.0, 4000.0)));
  }

  /// Takes the ends of `order` (estimate, index) further and keeps those that are new and good.
  template <class OriginOf>
  void refine(std::vector<SearchEnd>& ends, const std::vector<std::pair<double, int>>& order,
              const OriginOf& origin) {
    std::vector<SearchEnd> hopeful;
    for (const auto& [estimate, index] : order) {
      hopeful.push_back(std::move(ends[static_cast<std::size_t>(index)]));
      hopeful.back().evaluations = 0;
    }
    restarts_.refine(hopeful);
    std::vector<Member> chosen;
    for (std::size_t k = 0; k < hopeful.size(); ++k) {
      // In fp64 the lanes are half as many.
      spent_ += 2.0 * static_cast<double>(hopeful[k].evaluations) * restarts_.evaluation_cost();
      const Member member = {hopeful[k], origin(order[k].second)};
      if (is_new(hopeful[k].point.estimate, chosen)) chosen.push_back(member);
    }
    std::sort(chosen.begin(), chosen.end(),
              [](const Member& a, const Member& b) { return a.end.point.estimate < b.end.point.estimate; });
    // The rest of a batch takes about a second of a core, and so may this; what is left of the chosen ones
    // stays as it is.
    const double seconds = sharpening_cost() / kOperationsPerSecond;
    const auto sharpened =
        std::min(chosen.size(), static_cast<std::size_t>(std::clamp(1.0 / seconds, 1.0, 8.0)));
    for_each_on_threads(static_cast<int>(sharpened),
                        [&](int k) { sharpen(chosen[static_cast<std::size_t>(k)].end.point); });
    spent_ += static_cast<double>(sharpened) * sharpening_cost();
    if (seconds < 0.125) chosen.resize(sharpened);
    const double before = best_value();
    for (const Member& member : chosen) insert(member);
    if (best_value() < before - kHit) cold_hits_ = 0;
    for (std::size_t k = 0; k < hopeful.size(); ++k) {
      const SearchPoint& point = hopeful[k].point;
      if (std::min(point.value, point.estimate) > best_value() + kHit) continue;
      if (origin(order[k].second) == Origin::kRestart) ++cold_hits_;
    }
  }

  /// Whether an end whose optimum has about this value is worth a closer look: it may be the best, or none
  /// of the members and of those chosen already.
  bool is_new(double estimate, const std::vector<Member>& chosen) const {
    constexpr double kSame = 2e-7;  // estimates of one optimum, about
    if (estimate < best_value() - kReached) return true;
    return std::none_of(
               members_.begin(), members_.end(),
               [&](const Member& other) { return std::abs(other.end.point.value - estimate) <= kSame; }) &&
           std::none_of(chosen.begin(), chosen.end(), [&](const Member& other) {
             return std::abs(other.end.point.estimate - estimate) <= kSame;
           });
  }

  /// Operations that sharpen() takes: a guess, 150 factorisations at a fifth of the lanes' speed.
  double sharpening_cost() const {
    const double unknowns = static_cast<double>(restarts_.dim()) * restarts_.classes();
    return unknowns > 1000.0 ? 2e4 * restarts_.evaluation_cost() : 250.0 * unknowns * unknowns * unknowns;
  }

  /// To the local optimum itself, to about 1e-8.
  void sharpen(SearchPoint& point) const {
    const Eigen::MatrixXd sharp = sharpen_correlation(point.vectors, settings_.objective);
    const double value = largest_correlation(sharp, settings_.objective);
    if (value < point.value) {
      point.vectors = sharp;
      point.value = value;
    } else {
      // Too large for Newton's method.
      point =
          refine_correlation(point, settings_.objective, {.iterations_per_round = affordable_iterations()});
    }
    point.estimate = point.value;
  }

  void insert(const Member& member) {
    const double value = member.end.point.value;
    const auto twin = std::find_if(members_.begin(), members_.end(), [&](const Member& other) {
      return std::abs(other.end.point.value - value) <= kHit;
    });
    if (twin != members_.end()) {
      if (value < twin->end.point.value) twin->end = member.end;
    } else {
      members_.push_back(member);
    }
    std::sort(members_.begin(), members_.end(),
              [](const Member& a, const Member& b) { return a.end.point.value < b.end.point.value; });
    if (members_.size() > kMostMembers) members_.pop_back();
  }

  const OptimizerSettings& settings_;
  FrameRestarts restarts_;
  std::vector<Member> members_;         // best first, values more than kHit apart
  std::vector<double> cold_estimates_;  // of those that were not abandoned
  int descents_ = 0, cold_descents_ = 0, cold_hits_ = 0;
  double spent_ = 0.0;  // operations
};

/// The search at one size.
class Optimizer {
 public:
  Optimizer(const OptimizerSettings& settings, const OptimizerProgress& progress)
      : settings_(settings), progress_(progress), main_(settings, settings.classes) {
    const auto known = known_correlation(settings.dim, settings.classes, settings.objective);
    if (known) {
      known_value_ = known->value + known->accuracy;
      is_open_ = known->is_soft;
    }
    for (const FrameBound& bound : frame_bounds(settings.dim, settings.classes, settings.objective))
      lower_bound_ = std::max(lower_bound_, bound.value);
  }

  OptimizedFrame run() {
    main_.run(
        batch_of(main_), [](int) { return Origin::kRestart; },
        [&](int i, Origin) { return cold_start(stream(i), settings_.dim, settings_.classes); },
        batch_progress());
    for (next_stream(); !is_over(); next_stream()) {
      ++round_;
      if (settings_.restarts == 0) main_.shake(RandomStream(settings_.seed, "frame shake", stream_base_));
      constexpr std::array kOffsets = {0, 1, 0, -1, 0, 0, 1, 0, 2, 0, -1, 0, 3, 0, -2};
      const int offset = kOffsets[static_cast<std::size_t>(round_) % kOffsets.size()];
      if (offset == 0 || settings_.restarts > 0 || settings_.classes + offset < 2) {
        mixed_round(main_, codes(), batch_of(main_));
      } else {
        neighbour_round(offset);
      }
    }
    return result();
  }

 private:
  RandomStream stream(int index) const {
    return RandomStream(settings_.seed, "frame start", stream_base_ + static_cast<std::uint64_t>(index));
  }
  void next_stream() { stream_base_ += std::uint64_t{1} << 24; }

  BatchProgress batch_progress() const {
    if (!progress_) return {};
    return [this](int done) {
      const int before = main_.descents();
      const int total = settings_.restarts > 0 ? settings_.restarts : std::max(before + done, expected_);
      progress_(before + done, total);
    };
  }

  /// Descents in a batch: as many as take about a second of one core, or are left.
  int batch_of(const Population& population) {
    constexpr double kEvaluations = 1000.0;  // of a descent, about
    const double seconds = kEvaluations * population.restarts().evaluation_cost() / kOperationsPerSecond;
    int count = static_cast<int>(std::clamp(1.0 / seconds, 32.0, 2048.0));
    if (kEvaluations * 32.0 * population.restarts().evaluation_cost() > budget()) {
      count = static_cast<int>(
          std::max(1.0, budget() / (kEvaluations * population.restarts().evaluation_cost())));
    }
    if (settings_.restarts > 0) count = std::min(count, settings_.restarts - main_.descents());
    expected_ = std::max(expected_, main_.descents() + count);
    return count;
  }

  double budget() const {
    constexpr double kOpen = 50.0, kMost = 1000.0;  // seconds of one core
    return kOperationsPerSecond * (known_value_ < 2.0 && !is_nearly_reached() ? kMost : kOpen);
  }

  /// As good as the known value, though some more time may help.
  bool is_nearly_reached() const {
    constexpr double kNearly = 9e-8;
    return main_.best_value() <= known_value_ + kNearly;
  }

  double spent() const {
    double sum = main_.spent();
    for (const auto& [classes, population] : neighbours_) sum += population.spent();
    return sum;
  }

  bool is_over() {
    const double best = main_.best_value();
    rounds_without_progress_ = best < last_best_ - kHit ? 0 : rounds_without_progress_ + 1;
    last_best_ = best;
    if (settings_.should_stop && settings_.should_stop()) return true;
    if (settings_.restarts > 0) return main_.descents() >= settings_.restarts;
    const bool is_known = known_value_ < 2.0 && !is_open_;
    if (is_known && best <= known_value_ + kReached) return true;
    // Where the optimum is not isolated, the ends stay a little above it.
    constexpr int kPatience = 3;
    if (is_known && is_nearly_reached() && rounds_without_progress_ >= kPatience) return true;
    if (main_.best_value() <= lower_bound_ + 1e-9) return true;
    if (!is_known && best <= known_value_ + kReached) {
      // As far as restarts and hops can tell.
      if (rounds_without_progress_ >= 3 && main_.cold_hits() >= 100 &&
          20 * main_.cold_hits() >= main_.cold_descents())
        return true;
      if (rounds_without_progress_ >= 15 && main_.cold_hits() >= 30) return true;
    }
    return spent() >= budget();
  }

  const std::vector<Eigen::MatrixXd>& codes() {
    if (!codes_) {
      codes_.emplace();
      for (const FrameConstruction& code : structured_codes(settings_.dim, settings_.objective))
        codes_->push_back(code.vectors);
      for (const FrameConstruction& code : structured_codes(settings_.dim + 1, settings_.objective)) {
        for (const Eigen::MatrixXd& section : sections(code.vectors)) codes_->push_back(section);
      }
      // Far smaller ones are no better than random starts.
      std::erase_if(*codes_,
                    [&](const Eigen::MatrixXd& code) { return 2 * code.cols() < settings_.classes; });
    }
    return *codes_;
  }

  /// A batch of every kind of start.
  void mixed_round(Population& population, const std::vector<Eigen::MatrixXd>& codes, int count) {
    const int dim = settings_.dim, classes = population.restarts().classes();
    const FrameObjective objective = settings_.objective;
    const auto origin = [&](int i) {
      constexpr int kWidestSymmetry = 32;  // groups of larger matrices take longer than descents
      const double choice =
          RandomStream(settings_.seed, "frame origin", stream_base_).uniform(static_cast<std::uint64_t>(i));
      if (choice < 0.25 || population.is_empty()) return Origin::kRestart;
      if (choice < 0.45 && dim <= kWidestSymmetry) return Origin::kSymmetry;
      if (choice < 0.55 && !codes.empty()) return Origin::kCode;
      if (choice < 0.65) return Origin::kSplice;
      return choice < 0.8 ? Origin::kNudge : Origin::kHop;
    };
    const auto start = [&](int i, Origin kind) {
      const RandomStream random = stream(i);
      // Far from the positions that the moves use.
      constexpr std::uint64_t kChoices = std::uint64_t{1} << 50;
      const double first = random.uniform(kChoices), second = random.uniform(kChoices + 1);
      switch (kind) {
        case Origin::kHop:
          return hop(random, population.pick(first), objective);
        case Origin::kNudge:
          return nudge(random, population.pick(first));
        case Origin::kSplice:
          return cut_and_splice(random, population.pick(first), population.pick(second));
        case Origin::kSymmetry:
          return symmetric_start(random, dim, classes, objective);
        case Origin::kCode:
          return resized(random, codes[static_cast<std::size_t>(first * static_cast<double>(codes.size()))],
                         classes, objective);
        default:
          return cold_start(random, dim, classes);
      }
    };
    population.run(count, origin, start, &population == &main_ ? batch_progress() : BatchProgress{});
  }

  /// Searches at C + offset a while and brings the best from there.
  void neighbour_round(int offset) {
    const int classes = settings_.classes + offset;
    const auto entry = neighbours_.try_emplace(classes, settings_, classes).first;
    Population& neighbour = entry->second;
    mixed_round(neighbour, {}, std::max(1, batch_of(neighbour)));
    if (neighbour.is_empty()) return;
    next_stream();
    main_.run(
        std::max(1, batch_of(main_) / 2), [](int) { return Origin::kNeighbour; },
        [&](int i, Origin) {
          const RandomStream random = stream(i);
          constexpr std::uint64_t kChoice = std::uint64_t{1} << 50;
          return resized(random, neighbour.pick(random.uniform(kChoice)), settings_.classes,
                         settings_.objective);
        },
        batch_progress());
  }

  OptimizedFrame result() {
    require(!main_.members().empty(),
            "frame generate: no start has led anywhere: every end was lost in rounding");
    OptimizedFrame found;
    const Member& best = main_.members().front();
    found.vectors = polish_frame(best.end.point.vectors, settings_.objective);
    found.value = largest_correlation(found.vectors, settings_.objective);
    found.origin = to_string(best.origin);
    found.restarts = main_.cold_descents();
    found.hits = main_.found();
    found.iterations = best.end.point.iterations;
    return found;
  }

  const OptimizerSettings& settings_;
  const OptimizerProgress& progress_;
  Population main_;
  std::map<int, Population> neighbours_;  // by size
  std::optional<std::vector<Eigen::MatrixXd>> codes_;
  double known_value_ = std::numeric_limits<double>::infinity();
  double lower_bound_ = -1.0;
  bool is_open_ = false;  // the known value may be beaten
  double last_best_ = std::numeric_limits<double>::infinity();
  int rounds_without_progress_ = 0;
  int round_ = -1;
  int expected_ = 0;  // restarts, for the progress
  std::uint64_t stream_base_ = 0;
};

}  // namespace

OptimizedFrame optimize_frame(const OptimizerSettings& settings, const OptimizerProgress& progress) {
  return Optimizer(settings, progress).run();
}

Eigen::MatrixXd polish_frame(const Eigen::MatrixXd& vectors, FrameObjective objective) {
  const double pairs = 0.5 * static_cast<double>(vectors.cols()) * static_cast<double>(vectors.cols() - 1);
  const double cost = pairs * (4.0 * static_cast<double>(vectors.rows()) + 25.0);
  const int iterations = static_cast<int>(std::clamp(3e10 / cost, 100.0, 4000.0));
  const Eigen::MatrixXd sharp = sharpen_correlation(vectors, objective);
  const double value = largest_correlation(sharp, objective);
  const SearchPoint point =
      refine_correlation({sharp, value, value, 0}, objective,
                         {.iterations_per_round = iterations, .highest_sharpness = 1 << 28});
  Eigen::MatrixXd best = point.vectors;
  double best_value = point.value;
  for (int round = 0; round < 3; ++round) {
    Eigen::MatrixXd next = polish_active_set(best, objective);
    const double next_value = largest_correlation(next, objective);
    if (!(next_value < best_value)) break;
    best_value = next_value;
    best = std::move(next);
  }
  return best;
}

}  // namespace gnc
