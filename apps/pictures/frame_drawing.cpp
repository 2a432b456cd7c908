#include "apps/pictures/frame_drawing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "apps/pictures/canvas.h"
#include "apps/pictures/gif_writer.h"
#include "apps/pictures/heat_map.h"
#include "engine/error.h"

namespace gnc {
namespace {

using std::numbers::pi;

constexpr int kMostNumbered = 40;  // vectors that have their number at the tip

Eigen::MatrixXd directions_of(const Eigen::MatrixXd& vectors) {
  require(vectors.size() > 0, "frame picture: the frame is empty");
  Eigen::MatrixXd directions = vectors;
  for (Eigen::Index c = 0; c < vectors.cols(); ++c) {
    const double norm = vectors.col(c).norm();
    require(std::isfinite(norm) && norm > 0, "frame picture: vector {} has no direction: its norm is {}", c,
            norm);
    directions.col(c) /= norm;
  }
  return directions;
}

/// The tip of vector `c`: a dot in its colour, with its number where there are few. `strength` 1 in front,
/// towards 0 in the distance.
void draw_tip(Canvas& canvas, Point at, int c, int classes, double strength) {
  const Color color = mixed(kWhite, class_color(c, classes), strength);
  const bool is_numbered = classes <= kMostNumbered;
  const double radius = (is_numbered ? 9 : 4) * (0.7 + 0.3 * strength);
  canvas.disc(at, radius + 1.2, kWhite);
  canvas.disc(at, radius, color);
  if (!is_numbered) return;
  const double brightness = (0.3 * color.red + 0.59 * color.green + 0.11 * color.blue) / 255;
  canvas.text(at, std::to_string(c),
              {.size = 1.15 * radius,
               .color = brightness > 0.62 ? kInk : kWhite,
               .horizontal = HorizontalAlign::kCenter,
               .vertical = VerticalAlign::kMiddle});
}

/// Vectors of the plane from the origin to the unit circle.
void draw_circle(Canvas& canvas, const Rectangle& area, const Eigen::MatrixXd& directions) {
  const int classes = static_cast<int>(directions.cols());
  const Point origin = {area.x + area.width / 2, area.y + area.height / 2};
  const double radius = area.width / 2 - 16;
  const Stroke axis = {.color = kGrid, .width = 1};
  canvas.line({origin.x - radius, origin.y}, {origin.x + radius, origin.y}, axis);
  canvas.line({origin.x, origin.y - radius}, {origin.x, origin.y + radius}, axis);
  canvas.circle(origin, radius, {.color = mixed(kGrid, kInk, 0.2), .width = 1});
  const auto tip = [&](int c) -> Point {
    return {origin.x + radius * directions(0, c), origin.y - radius * directions(1, c)};
  };
  for (int c = 0; c < classes; ++c) {
    canvas.line(origin, tip(c), {.color = class_color(c, classes), .width = 2.4});
  }
  for (int c = 0; c < classes; ++c) draw_tip(canvas, tip(c), c, classes, 1);
}

/// A point of the sphere as it is seen.
struct Seen {
  Point at;
  double depth;  // 1 in front, -1 behind
};

/// The sphere turned about its vertical axis and looked at from a little above.
class SphereView {
 public:
  SphereView(Point center, double radius, double turn) : center_(center), radius_(radius) {
    constexpr double kTilt = 22 * pi / 180;
    turn_ = Eigen::AngleAxisd(kTilt, Eigen::Vector3d::UnitX()) *
            Eigen::AngleAxisd(turn, Eigen::Vector3d::UnitY()).toRotationMatrix();
  }

  /// x to the right, y up, z towards the eye before the turn.
  Seen operator()(const Eigen::Vector3d& point) const {
    const Eigen::Vector3d turned = turn_ * point;
    // The eye is five radii away: near things are a little larger.
    constexpr double kEye = 5;
    const double scale = radius_ * std::sqrt(kEye * kEye - 1) / (kEye - turned.z());
    return {{center_.x + scale * turned.x(), center_.y - scale * turned.y()}, turned.z()};
  }

 private:
  Point center_;
  double radius_;
  Eigen::Matrix3d turn_;
};

/// 1 in front, falling to a fifth behind, in 8 steps: few colours make small files.
double strength_of(double depth) {
  constexpr double kSteps = 8;
  return 0.6 + 0.4 * std::round(depth * kSteps / 2) / (kSteps / 2);
}

/// Meridians every 45 and parallels every 30 degrees, fainter behind.
void draw_graticule(Canvas& canvas, const SphereView& view) {
  constexpr int kPieces = 72;
  const auto curve = [&](const std::function<Eigen::Vector3d(double)>& at) {
    for (int i = 0; i < kPieces; ++i) {
      const Seen from = view(at(2 * pi * i / kPieces));
      const Seen to = view(at(2 * pi * (i + 1) / kPieces));
      const bool is_front = from.depth + to.depth > 0;
      canvas.line(from.at, to.at,
                  {.color = is_front ? Color{205, 205, 205} : Color{235, 235, 235}, .width = 0.8});
    }
  };
  for (int i = 0; i < 4; ++i) {
    const double longitude = pi * i / 4;
    curve([longitude](double t) {
      return Eigen::Vector3d(std::cos(t) * std::cos(longitude), std::sin(t),
                             std::cos(t) * std::sin(longitude));
    });
  }
  for (int i = -2; i <= 2; ++i) {
    const double latitude = pi * i / 6;
    curve([latitude](double t) {
      return Eigen::Vector3d(std::cos(latitude) * std::cos(t), std::sin(latitude),
                             std::cos(latitude) * std::sin(t));
    });
  }
}

std::vector<std::pair<int, int>> nearest_pairs(const Eigen::MatrixXd& directions) {
  constexpr double kTolerance = 1e-6;
  double largest = -1;
  const Eigen::MatrixXd gram = directions.transpose() * directions;
  const int classes = static_cast<int>(gram.rows());
  for (int j = 1; j < classes; ++j) {
    for (int i = 0; i < j; ++i) largest = std::max(largest, gram(i, j));
  }
  std::vector<std::pair<int, int>> pairs;
  for (int j = 1; j < classes; ++j) {
    for (int i = 0; i < j; ++i) {
      if (gram(i, j) >= largest - kTolerance) pairs.emplace_back(i, j);
    }
  }
  return pairs;
}

/// Something to draw at its distance.
struct Item {
  double depth;
  std::function<void()> draw;
};

void draw_turned(Canvas& canvas, const Eigen::MatrixXd& directions,
                 const std::vector<std::pair<int, int>>& pairs, double turn) {
  constexpr double kRadius = 178;
  const Point center = {210, 262};
  const SphereView view(center, kRadius, turn);
  canvas.circle(center, kRadius, {.color = {190, 190, 190}, .width = 1});
  draw_graticule(canvas, view);
  const int classes = static_cast<int>(directions.cols());
  const Seen origin = view(Eigen::Vector3d::Zero());
  std::vector<Item> items;
  for (const auto& [i, j] : pairs) {
    const Seen from = view(directions.col(i));
    const Seen to = view(directions.col(j));
    const double depth = std::min(from.depth, to.depth);
    const Stroke stroke = {.color = mixed(kWhite, kInk, 0.75 * strength_of((from.depth + to.depth) / 2)),
                           .width = 1.2};
    items.push_back({depth, [&canvas, from, to, stroke] { canvas.line(from.at, to.at, stroke); }});
  }
  for (int c = 0; c < classes; ++c) {
    const Seen tip = view(directions.col(c));
    const double strength = strength_of(tip.depth);
    const Stroke stroke = {.color = mixed(kWhite, class_color(c, classes), strength),
                           .width = 1.2 + 1.4 * strength};
    items.push_back(
        {tip.depth / 2, [&canvas, origin, tip, stroke] { canvas.line(origin.at, tip.at, stroke); }});
    items.push_back({tip.depth, [&canvas, tip, c, classes, strength] {
                       draw_tip(canvas, tip.at, c, classes, strength);
                     }});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.depth < b.depth; });
  for (const Item& item : items) item.draw();
}

void draw_caption(Canvas& canvas, const FrameDrawing& frame, double left) {
  canvas.text({left, 32}, frame.title, {.size = 17, .is_bold = true});
  TextStyle style = {.size = 12, .color = kFaintInk};
  const double room = canvas.width() - left - 12, needed = canvas.text_width(frame.caption, style);
  if (needed > room) style.size *= room / needed;
  canvas.text({left, 54}, frame.caption, style);
}

}  // namespace

void write_frame_picture(const std::filesystem::path& path, const FrameDrawing& frame) {
  const Eigen::MatrixXd directions = directions_of(frame.vectors);
  constexpr double kLeft = 42;
  constexpr double kTop = 92;
  constexpr double kGap = 20;
  const double side = heat_map_side(directions.cols());
  const bool has_circle = directions.rows() == 2;
  double width = kLeft + side + kColorBarRoom;
  if (has_circle) width += kGap + side;
  const TextStyle caption_style = {.size = 12};
  width = std::max(width,
                   kLeft + Canvas({.width = 1, .height = 1}).text_width(frame.caption, caption_style) + 16);
  Canvas canvas({.width = static_cast<int>(std::ceil(width)),
                 .height = static_cast<int>(std::ceil(kTop + side + 32)),
                 .scale = 2},
                picture_format(path));
  draw_caption(canvas, frame, kLeft);
  draw_heat_map(canvas, {kLeft, kTop, side, side},
                {.values = directions.transpose() * directions,
                 .diagonal = Diagonal::kIsGrey,
                 .color_label = "⟨mᵢ, mⱼ⟩"});
  if (has_circle)
    draw_circle(canvas, {kLeft + side + kColorBarRoom + kGap, kTop, side - 12, side - 12}, directions);
  canvas.write(path);
}

void write_rotating_frame(const std::filesystem::path& path, const FrameDrawing& frame) {
  require(frame.vectors.rows() == 3, "{}: only a frame of 3 dimensions can turn; this one has {}",
          path.string(), frame.vectors.rows());
  const Eigen::MatrixXd directions = directions_of(frame.vectors);
  const std::vector<std::pair<int, int>> pairs = nearest_pairs(directions);
  constexpr int kFrames = 72;
  constexpr int kDelay = 7;  // hundredths of a second
  Animation animation;
  animation.size = {.width = 420, .height = 460};
  animation.colors = 144;
  animation.delays.assign(kFrames, kDelay);
  animation.draw = [&](Canvas& canvas, int i) {
    draw_caption(canvas, frame, 24);
    draw_turned(canvas, directions, pairs, 2 * pi * i / kFrames);
  };
  write_gif(path, animation);
}

}  // namespace gnc
