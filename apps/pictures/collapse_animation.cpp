#include "apps/pictures/collapse_animation.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/pictures/axis.h"
#include "apps/pictures/canvas.h"
#include "apps/pictures/gif_writer.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr int kMovingFrames = 100;
constexpr int kDelay = 5;          // hundredths of a second
constexpr int kDelayOfFirst = 80;  // to see where it starts
constexpr int kDelayOfLast = 200;  // and where it ends
constexpr int kMaxLegendClasses = 12;

std::size_t index_of(int value) { return static_cast<std::size_t>(value); }

int classes_of(const CollapseHistory& history) { return static_cast<int>(history.classifiers[0].cols()); }

void check_history(const CollapseHistory& history) {
  const std::size_t records = history.steps.size();
  require(records > 0 && history.features.size() == records && history.classifiers.size() == records,
          "collapse animation: {} steps, {} records of features and {} of the classifier", records,
          history.features.size(), history.classifiers.size());
  const int classes = classes_of(history);
  require(classes > 0, "collapse animation: there are no classes");
  for (std::size_t i = 0; i < history.labels.size(); ++i) {
    require(history.labels[i] >= 0 && history.labels[i] < classes,
            "collapse animation: sample {} has the label {}; there are {} classes", i, history.labels[i],
            classes);
  }
  for (std::size_t t = 0; t < records; ++t) {
    const Eigen::MatrixXd& features = history.features[t];
    const Eigen::MatrixXd& classifier = history.classifiers[t];
    const long step = history.steps[t];
    require(
        features.rows() == 2 && classifier.rows() == 2,
        "collapse animation: step {}: features in {} dimensions and a classifier in {}; only 2 can be shown",
        step, features.rows(), classifier.rows());
    require(
        features.cols() == static_cast<Eigen::Index>(history.labels.size()) && classifier.cols() == classes,
        "collapse animation: step {}: {} features and {} classes; expected {} and {}", step, features.cols(),
        classifier.cols(), history.labels.size(), classes);
    for (Eigen::Index i = 0; i < features.cols(); ++i) {
      require(features.col(i).allFinite(),
              "collapse animation: step {}: the feature of sample {} is not finite", step, i);
    }
    for (Eigen::Index c = 0; c < classifier.cols(); ++c) {
      require(classifier.col(c).allFinite(),
              "collapse animation: step {}: the classifier vector of class {} is not finite", step, c);
    }
  }
}

/// The largest coordinate there ever is, and a little; the same scale for all pictures.
double extent_of(const CollapseHistory& history) {
  double largest = 0;
  for (std::size_t t = 0; t < history.steps.size(); ++t) {
    if (history.features[t].size() > 0)
      largest = std::max(largest, history.features[t].cwiseAbs().maxCoeff());
    largest = std::max(largest, history.classifiers[t].cwiseAbs().maxCoeff());
  }
  return largest == 0 ? 1 : 1.08 * largest;
}

/// The share in [0, 1] of the way that all points together have gone at each record; of the time when nothing
/// moves.
std::vector<double> progress_of(const CollapseHistory& history) {
  std::vector<double> progress = {0};
  for (std::size_t t = 1; t < history.steps.size(); ++t) {
    const double moved = std::sqrt((history.features[t] - history.features[t - 1]).squaredNorm() +
                                   (history.classifiers[t] - history.classifiers[t - 1]).squaredNorm());
    progress.push_back(progress.back() + moved);
  }
  const double way = progress.back();
  for (std::size_t t = 0; t < progress.size(); ++t) {
    progress[t] = way > 0 ? progress[t] / way : static_cast<double>(t) / static_cast<double>(progress.size());
  }
  return progress;
}

/// One picture's contents: a record, or something between two.
struct Moment {
  long step;
  Eigen::MatrixXd features;
  Eigen::MatrixXd classifier;
};

Moment moment_of(const CollapseHistory& history, int record) {
  const std::size_t t = index_of(record);
  return {history.steps[t], history.features[t], history.classifiers[t]};
}

/// Where `share` of the way has been gone.
Moment moment_at(const CollapseHistory& history, const std::vector<double>& progress, double share) {
  const auto after = std::upper_bound(progress.begin(), progress.end(), share);
  if (after == progress.end()) return moment_of(history, static_cast<int>(progress.size()) - 1);
  const auto t = static_cast<std::size_t>(after - progress.begin());
  const double part = (share - progress[t - 1]) / (progress[t] - progress[t - 1]);
  const auto between = [part](const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) -> Eigen::MatrixXd {
    return (1 - part) * a + part * b;
  };
  const double step =
      (1 - part) * static_cast<double>(history.steps[t - 1]) + part * static_cast<double>(history.steps[t]);
  return {std::lround(step), between(history.features[t - 1], history.features[t]),
          between(history.classifiers[t - 1], history.classifiers[t])};
}

/// The plane with all that is in it.
void draw_plane(Canvas& canvas, const Rectangle& area, const CollapseHistory& history, const Moment& moment,
                double extent) {
  const int classes = classes_of(history);
  const Point origin = {area.x + area.width / 2, area.y + area.height / 2};
  const double unit = area.width / (2 * extent);
  const auto at = [&](const Eigen::MatrixXd& points, Eigen::Index i) -> Point {
    return {origin.x + unit * points(0, i), origin.y - unit * points(1, i)};
  };
  const double step = round_step(2 * extent, 6);
  const int lines = static_cast<int>(extent / step);
  for (int i = -lines; i <= lines; ++i) {
    const double offset = unit * step * i;
    const Stroke grid = {.color = kGrid, .width = 0.8};
    canvas.line({origin.x + offset, area.y}, {origin.x + offset, area.bottom()}, grid);
    canvas.line({area.x, origin.y + offset}, {area.right(), origin.y + offset}, grid);
    canvas.text({origin.x + offset + 3, area.bottom() - 4}, typeset_number(step * i),
                {.size = 9, .color = kFaintInk});
  }
  const Stroke axis = {.color = mixed(kGrid, kInk, 0.25), .width = 1};
  canvas.line({origin.x, area.y}, {origin.x, area.bottom()}, axis);
  canvas.line({area.x, origin.y}, {area.right(), origin.y}, axis);
  canvas.outline(area, {.color = kFaintInk, .width = 0.8});
  canvas.clip(area);
  const double size = area.width / 440;
  for (int c = 0; c < classes; ++c) {
    canvas.arrow(origin, at(moment.classifier, c),
                 {.color = class_color(c, classes), .width = 1.2 + 1.4 * size});
  }
  for (std::size_t i = 0; i < history.labels.size(); ++i) {
    const int label = history.labels[i];
    const Point place = at(moment.features, static_cast<Eigen::Index>(i));
    // A white rim keeps samples apart that lie on each other.
    canvas.marker(class_marker(label), place, 1.4 + 3.9 * size, kWhite);
    canvas.marker(class_marker(label), place, 0.9 + 3.2 * size, class_color(label, classes));
  }
  canvas.unclip();
}

void draw_legend(Canvas& canvas, Point at, const CollapseHistory& history) {
  const int classes = classes_of(history);
  const int shown = std::min(classes, kMaxLegendClasses);
  double y = at.y;
  const TextStyle text = {.size = 13, .vertical = VerticalAlign::kMiddle};
  for (int c = 0; c < shown; ++c) {
    canvas.marker(class_marker(c), {at.x + 6, y}, 4.5, class_color(c, classes));
    canvas.text({at.x + 20, y}, fmt::format("class {}", c), text);
    y += 21;
  }
  if (shown < classes) {
    canvas.text({at.x + 20, y}, fmt::format("… {} more", classes - shown), text);
    y += 21;
  }
  y += 12;
  const TextStyle note = {.size = 12, .color = kFaintInk, .vertical = VerticalAlign::kMiddle};
  canvas.disc({at.x + 6, y}, 3.5, kFaintInk);
  canvas.text({at.x + 20, y}, "feature", note);
  y += 19;
  canvas.arrow({at.x - 4, y}, {at.x + 15, y}, {.color = kFaintInk, .width = 2});
  canvas.text({at.x + 20, y}, "classifier", note);
}

/// Slow at both ends of [0, 1].
double eased(double time) { return time * time * (3 - 2 * time); }

}  // namespace

std::vector<int> choose_key_frames(const CollapseHistory& history, int count) {
  check_history(history);
  require(count >= 1, "collapse animation: {} key frames", count);
  const std::vector<double> progress = progress_of(history);
  const int last = static_cast<int>(progress.size()) - 1;
  std::vector<int> chosen;
  for (int k = 0; k < count; ++k) {
    const double share = count == 1 ? 1.0 : static_cast<double>(k) / (count - 1);
    const auto place = std::lower_bound(progress.begin(), progress.end(), share - 1e-12);
    int record = std::min(static_cast<int>(place - progress.begin()), last);
    if (k == count - 1) record = last;
    if (!chosen.empty()) record = std::max(record, chosen.back() + 1);
    if (record <= last) chosen.push_back(record);
  }
  return chosen;
}

void write_collapse_gif(const std::filesystem::path& path, const CollapseHistory& history) {
  check_history(history);
  const double extent = extent_of(history);
  const std::vector<double> progress = progress_of(history);
  const int frames = history.steps.size() == 1 ? 1 : kMovingFrames;
  Animation animation;
  animation.size = {.width = 600, .height = 500};
  animation.delays.assign(index_of(frames), kDelay);
  animation.delays.front() = kDelayOfFirst;
  animation.delays.back() = kDelayOfLast;
  animation.draw = [&](Canvas& canvas, int frame) {
    const bool is_last = frame + 1 == frames;
    const Moment moment =
        is_last ? moment_of(history, static_cast<int>(history.steps.size()) - 1)
                : moment_at(history, progress, eased(static_cast<double>(frame) / (frames - 1)));
    canvas.text({20, 32}, fmt::format("step {}", moment.step), {.size = 18, .is_bold = true});
    draw_plane(canvas, {20, 46, 440, 440}, history, moment, extent);
    draw_legend(canvas, {482, 60}, history);
  };
  write_gif(path, animation);
}

void write_collapse_strip(const std::filesystem::path& path, const CollapseHistory& history,
                          const std::vector<int>& key_frames) {
  check_history(history);
  require(!key_frames.empty(), "collapse strip: no key frames");
  for (const int record : key_frames) {
    require(record >= 0 && index_of(record) < history.steps.size(), "collapse strip: record {} of {}", record,
            history.steps.size());
  }
  constexpr double kSide = 230;
  constexpr double kGap = 14;
  const double extent = extent_of(history);
  const double pictures = static_cast<double>(key_frames.size());
  const double legend = 20 + pictures * (kSide + kGap);
  Canvas canvas(
      {.width = static_cast<int>(legend + 116), .height = static_cast<int>(kSide + 56), .scale = 2});
  for (std::size_t k = 0; k < key_frames.size(); ++k) {
    const Moment moment = moment_of(history, key_frames[k]);
    const double left = 20 + static_cast<double>(k) * (kSide + kGap);
    canvas.text({left, 28}, fmt::format("step {}", moment.step), {.size = 14, .is_bold = true});
    draw_plane(canvas, {left, 38, kSide, kSide}, history, moment, extent);
  }
  draw_legend(canvas, {legend + 8, 50}, history);
  canvas.write(path);
}

}  // namespace gnc
