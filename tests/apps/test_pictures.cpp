/// Pictures: what is drawn is looked up in the files again, which are decoded by stb_image and giflib.

#include <gif_lib.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>
#include <set>

#include "apps/pictures/canvas.h"
#include "apps/pictures/collapse_animation.h"
#include "apps/pictures/frame_drawing.h"
#include "apps/pictures/gif_writer.h"
#include "apps/pictures/palette.h"
#include "engine/error.h"
#include "engine/file.h"
#include "tests/apps/png_pixels.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::Pixels;
using tests::read_png;
using tests::TempDir;

struct DecodedGif {
  std::vector<Pixels> frames;  // as they are seen: each drawn over the ones before
  std::vector<int> delays;     // hundredths of a second
  int loops = -1;              // 0: for ever; -1: no word of it
};

DecodedGif read_gif(const std::filesystem::path& path) {
  std::string bytes = read_file(path);
  struct Source {
    std::string_view rest;
  } source{bytes};
  const auto read = [](GifFileType* file, GifByteType* to, int length) {
    auto& from = *static_cast<Source*>(file->UserData);
    const std::size_t count = std::min(from.rest.size(), static_cast<std::size_t>(length));
    std::copy_n(from.rest.begin(), count, to);
    from.rest.remove_prefix(count);
    return static_cast<int>(count);
  };
  DecodedGif result;
  int error = 0;
  GifFileType* file = DGifOpen(&source, read, &error);
  EXPECT_NE(file, nullptr) << error;
  if (file == nullptr) return result;
  EXPECT_EQ(DGifSlurp(file), GIF_OK) << file->Error;
  Pixels screen = {file->SWidth, file->SHeight, {}};
  screen.colors.resize(static_cast<std::size_t>(file->SWidth) * static_cast<std::size_t>(file->SHeight));
  for (int f = 0; f < file->ImageCount; ++f) {
    const SavedImage& image = file->SavedImages[f];
    GraphicsControlBlock control;
    EXPECT_EQ(DGifSavedExtensionToGCB(file, f, &control), GIF_OK);
    EXPECT_EQ(control.DisposalMode, DISPOSE_DO_NOT);
    result.delays.push_back(control.DelayTime);
    for (int e = 0; e < image.ExtensionBlockCount; ++e) {
      const ExtensionBlock& block = image.ExtensionBlocks[e];
      if (block.Function == CONTINUE_EXT_FUNC_CODE && block.ByteCount == 3 && block.Bytes[0] == 1) {
        result.loops = block.Bytes[1] + 256 * block.Bytes[2];
      }
    }
    const GifImageDesc& area = image.ImageDesc;
    for (int y = 0; y < area.Height; ++y) {
      for (int x = 0; x < area.Width; ++x) {
        const int index = image.RasterBits[y * area.Width + x];
        if (index == control.TransparentColor) continue;
        const GifColorType color = file->SColorMap->Colors[index];
        screen.colors[static_cast<std::size_t>((y + area.Top) * screen.width + x + area.Left)] = {
            color.Red, color.Green, color.Blue};
      }
    }
    result.frames.push_back(screen);
  }
  EXPECT_EQ(DGifCloseFile(file, &error), GIF_OK);
  return result;
}

/// Two classes that walk from near the origin to (1, 0) and (0, 1), three samples each, behind their vectors.
CollapseHistory walk(int records) {
  CollapseHistory history;
  history.labels = {0, 1, 0, 1, 0, 1};
  for (int t = 0; t < records; ++t) {
    const double way = records == 1 ? 1 : 0.1 + 0.9 * t / (records - 1);
    Eigen::MatrixXd features = Eigen::MatrixXd::Zero(2, 6), classifier(2, 2);
    for (int i = 0; i < 6; ++i) features(i % 2, i) = 0.1 * way;
    classifier << way, 0, 0, way;
    history.steps.push_back(10 * t);
    history.features.push_back(features);
    history.classifiers.push_back(classifier);
  }
  return history;
}

/// The message of the E that `body` throws.
template <class E, class Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Palette, Tells_Classes_Apart) {
  EXPECT_EQ(class_color(0, 4), (Color{0, 114, 178})) << "Okabe and Ito's blue";
  for (const int classes : {2, 8, 9, 100}) {
    std::set<std::tuple<int, int, int>> colors;
    for (int c = 0; c < classes; ++c) {
      const Color color = class_color(c, classes);
      colors.insert({color.red, color.green, color.blue});
    }
    EXPECT_EQ(static_cast<int>(colors.size()), classes);
  }
  EXPECT_THROW(class_color(4, 4), Error);
  EXPECT_EQ(diverging(0), kWhite);
  EXPECT_GT(diverging(-0.7).blue, diverging(-0.7).red);
  EXPECT_GT(diverging(0.7).red, diverging(0.7).blue);
  EXPECT_EQ(diverging(7), diverging(1));
}

TEST(Canvas, Writes_The_Pixels_It_Drew) {
  const TempDir folder;
  Canvas canvas({.width = 30, .height = 20, .scale = 2});
  canvas.rectangle({5, 5, 10, 10}, {213, 94, 0});
  canvas.write(folder / "picture.png");
  const Pixels pixels = read_png(folder / "picture.png");
  EXPECT_EQ(pixels.width, 60);
  EXPECT_EQ(pixels.height, 40);
  EXPECT_EQ(pixels.at(20, 20), (Color{213, 94, 0}));
  EXPECT_EQ(pixels.at(32, 20), kWhite);
  EXPECT_EQ(pixels.count({213, 94, 0}), 400);
}

TEST(Canvas, Refuses_What_It_Cannot_Draw) {
  EXPECT_THROW(Canvas({.width = 0, .height = 5}), Error);
  EXPECT_THROW(Canvas({.width = 40000, .height = 5}), Error);
  Canvas canvas({.width = 10, .height = 10});
  EXPECT_THROW(canvas.line({0, 0}, {std::numeric_limits<double>::quiet_NaN(), 1}, {}), Error);
  EXPECT_THROW(canvas.image({0, 0, 5, 5}, 2, 2, std::vector<Color>(3)), Error);
}

TEST(Pictures, Name_The_File_That_Cannot_Be_Written_And_Leave_Nothing) {
  const TempDir folder;
  const std::filesystem::path missing = folder / "nowhere" / "picture";
  const std::string png = message_of<FileError>([&] { Canvas({.width = 9, .height = 9}).write(missing); });
  EXPECT_NE(png.find(missing.string()), std::string::npos) << png;
  const std::string gif = message_of<FileError>([&] { write_collapse_gif(missing, walk(2)); });
  EXPECT_NE(gif.find(missing.string()), std::string::npos) << gif;
  // A folder is in the way: the temporary file was written by then and must go.
  std::filesystem::create_directory(folder / "taken");
  EXPECT_THROW(Canvas({.width = 9, .height = 9}).write(folder / "taken"), FileError);
  EXPECT_THROW(write_collapse_gif(folder / "taken", walk(2)), FileError);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "taken"));
  std::filesystem::remove(folder / "taken");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(GifWriter, Gives_Back_Every_Pixel_Delay_And_The_Loop) {
  const TempDir folder;
  const auto draw = [](Canvas& canvas, int frame) {
    canvas.rectangle({5.0 + frame, 5, 7, 7}, class_color(frame, 3));
    canvas.rectangle({30, 30, 2, 2}, kInk);
  };
  write_gif(folder / "a.gif", {.size = {.width = 40, .height = 35}, .delays = {5, 70, 300}, .draw = draw});
  const DecodedGif gif = read_gif(folder / "a.gif");
  EXPECT_EQ(gif.delays, (std::vector<int>{5, 70, 300}));
  EXPECT_EQ(gif.loops, 0);
  ASSERT_EQ(gif.frames.size(), 3u);
  for (int frame = 0; frame < 3; ++frame) {
    Canvas canvas({.width = 40, .height = 35});
    draw(canvas, frame);
    canvas.write(folder / "frame.png");
    EXPECT_EQ(gif.frames[static_cast<std::size_t>(frame)].colors, read_png(folder / "frame.png").colors)
        << frame;
  }
}

TEST(GifWriter, Keeps_Areas_Exact_And_Shades_Near_With_Too_Few_Colours) {
  const TempDir folder;
  const auto draw = [](Canvas& canvas, int) {
    canvas.rectangle({0, 0, 100, 50}, {0, 114, 178});
    for (int i = 0; i < 100; ++i) {
      canvas.rectangle({static_cast<double>(i), 60, 1, 10}, viridis(i / 99.0));
    }
  };
  write_gif(folder / "a.gif",
            {.size = {.width = 100, .height = 80}, .delays = {5}, .colors = 40, .draw = draw});
  const DecodedGif gif = read_gif(folder / "a.gif");
  ASSERT_EQ(gif.frames.size(), 1u);
  EXPECT_EQ(gif.frames[0].at(50, 25), (Color{0, 114, 178}));
  EXPECT_EQ(gif.frames[0].at(50, 75), kWhite);
  for (int i = 0; i < 100; ++i) {
    const Color seen = gif.frames[0].at(i, 65);
    const Color drawn = viridis(i / 99.0);
    // Each box of the cut holds about 3 neighbouring shades of 100 that span less than 256 in each channel.
    EXPECT_NEAR(seen.red, drawn.red, 16) << i;
    EXPECT_NEAR(seen.green, drawn.green, 16) << i;
    EXPECT_NEAR(seen.blue, drawn.blue, 16) << i;
  }
}

TEST(GifWriter, Refuses_Animations_That_Are_None) {
  GifWriter writer(10, 10, {kWhite});
  EXPECT_THROW(writer.add(Canvas({.width = 9, .height = 10}), 5), Error);
  EXPECT_THROW(writer.add(Canvas({.width = 10, .height = 10}), 0), Error);
  EXPECT_THROW(writer.finish(), Error);
  EXPECT_THROW(GifWriter(10, 10, {}), Error);
  EXPECT_THROW(write_gif("never", {.size = {.width = 9, .height = 9}, .delays = {}, .draw = {}}), Error);
}

TEST(CollapseAnimation, Shows_Vectors_In_Their_Classes_Colours_At_One_Scale) {
  const TempDir folder;
  write_collapse_gif(folder / "a.gif", walk(5));
  const DecodedGif gif = read_gif(folder / "a.gif");
  ASSERT_EQ(gif.frames.size(), 100u);
  EXPECT_EQ(gif.loops, 0);
  EXPECT_EQ(gif.frames[0].width, 600);
  EXPECT_EQ(gif.frames[0].height, 500);
  EXPECT_EQ(gif.delays[0], 80);
  EXPECT_EQ(gif.delays[1], 5);
  EXPECT_EQ(gif.delays[99], 200);
  // The plane is 440 pixels wide around (240, 266) and 1.08 reaches its edge. At first the arrows are 0.1
  // long.
  const int half_way = static_cast<int>(0.5 / 1.08 * 220);
  EXPECT_EQ(gif.frames[99].at(240 + half_way, 266), class_color(0, 2));
  EXPECT_EQ(gif.frames[99].at(240, 266 - half_way), class_color(1, 2));
  EXPECT_NE(gif.frames[0].at(240 + half_way, 266), class_color(0, 2));
}

TEST(CollapseAnimation, Shows_A_Single_Record_And_One_That_Does_Not_Move) {
  const TempDir folder;
  write_collapse_gif(folder / "one.gif", walk(1));
  EXPECT_EQ(read_gif(folder / "one.gif").frames.size(), 1u);
  CollapseHistory still = walk(1);
  still.steps.push_back(7);
  still.features.push_back(still.features[0]);
  still.classifiers.push_back(still.classifiers[0]);
  write_collapse_gif(folder / "still.gif", still);
  EXPECT_EQ(read_gif(folder / "still.gif").frames.size(), 100u);
  for (auto* matrices : {&still.features, &still.classifiers}) {
    for (Eigen::MatrixXd& matrix : *matrices) matrix.setZero();
  }
  write_collapse_gif(folder / "zero.gif", still);
}

TEST(CollapseAnimation, Names_Step_And_Sample_That_Are_Not_Finite) {
  const TempDir folder;
  CollapseHistory history = walk(3);
  history.features[1](0, 4) = std::numeric_limits<double>::quiet_NaN();
  const std::string feature = message_of<Error>([&] { write_collapse_gif(folder / "a.gif", history); });
  EXPECT_NE(feature.find("step 10"), std::string::npos) << feature;
  EXPECT_NE(feature.find("sample 4"), std::string::npos) << feature;
  history = walk(3);
  history.classifiers[2](1, 1) = std::numeric_limits<double>::infinity();
  const std::string vector = message_of<Error>([&] { write_collapse_strip(folder / "a.png", history, {0}); });
  EXPECT_NE(vector.find("class 1"), std::string::npos) << vector;
  history = walk(3);
  history.labels[0] = 2;
  EXPECT_THROW(write_collapse_gif(folder / "a.gif", history), Error);
  history = walk(3);
  history.steps.pop_back();
  EXPECT_THROW(write_collapse_gif(folder / "a.gif", history), Error);
  EXPECT_THROW(write_collapse_strip(folder / "a.png", walk(3), {3}), Error);
  EXPECT_THROW(write_collapse_strip(folder / "a.png", walk(3), {}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(CollapseAnimation, Chooses_Key_Frames_By_The_Way_Gone) {
  EXPECT_EQ(choose_key_frames(walk(9), 3), (std::vector<int>{0, 4, 8}));
  EXPECT_EQ(choose_key_frames(walk(2), 5), (std::vector<int>{0, 1}));
  EXPECT_EQ(choose_key_frames(walk(1), 4), (std::vector<int>{0}));
  // All of the way is between the records 1 and 2.
  CollapseHistory jump = walk(4);
  jump.features[1] = jump.features[0];
  jump.classifiers[1] = jump.classifiers[0];
  jump.features[2] = jump.features[3];
  jump.classifiers[2] = jump.classifiers[3];
  EXPECT_EQ(choose_key_frames(jump, 3), (std::vector<int>{0, 2, 3}));
}

TEST(FramePicture, Has_A_Pixel_For_Each_Of_A_Million_Inner_Products) {
  const TempDir folder;
  // One direction of each sign: every inner product is 1 or -1.
  Eigen::MatrixXd vectors(1, 1000);
  for (int c = 0; c < 1000; ++c) vectors(0, c) = c % 3 == 0 ? -2 : 1;
  write_frame_picture(folder / "a.png", {.vectors = vectors, .title = "C = 1000, d = 1", .caption = ""});
  const Pixels pixels = read_png(folder / "a.png");
  // The matrix begins at 42 and 92 points.
  for (const auto& [row, column] : {std::pair{10, 700}, {700, 11}, {501, 502}, {500, 502}}) {
    const double product = (row % 3 == 0) == (column % 3 == 0) ? 1 : -1;
    EXPECT_EQ(pixels.at(84 + column, 184 + row), diverging(product)) << row << ", " << column;
  }
}

TEST(FramePicture, Shows_The_Vectors_Of_The_Plane_Beside_The_Matrix) {
  const TempDir folder;
  Eigen::MatrixXd vectors(2, 3);
  for (int c = 0; c < 3; ++c) {
    const double angle = 2 * std::numbers::pi * c / 3;
    vectors.col(c) << 5 * std::cos(angle), 5 * std::sin(angle);
  }
  write_frame_picture(folder / "plane.png", {.vectors = vectors, .title = "", .caption = ""});
  const Pixels pixels = read_png(folder / "plane.png");
  for (int c = 0; c < 3; ++c) EXPECT_GT(pixels.count(class_color(c, 3)), 500) << c;
  vectors.col(1).setZero();
  EXPECT_THROW(write_frame_picture(folder / "b.png", {.vectors = vectors, .title = "", .caption = ""}),
               Error);
}

TEST(RotatingFrame, Turns_Without_A_Seam_In_A_Small_File) {
  const TempDir folder;
  std::srand(1);
  const Eigen::MatrixXd vectors = Eigen::MatrixXd::Random(3, 100);
  write_rotating_frame(folder / "a.gif", {.vectors = vectors, .title = "C = 100, d = 3", .caption = ""});
  EXPECT_LT(std::filesystem::file_size(folder / "a.gif"), 3'000'000u);
  const DecodedGif gif = read_gif(folder / "a.gif");
  ASSERT_EQ(gif.frames.size(), 72u);
  EXPECT_EQ(gif.loops, 0);
  const auto difference = [&](std::size_t a, std::size_t b) {
    std::int64_t count = 0;
    for (std::size_t i = 0; i < gif.frames[a].colors.size(); ++i) {
      count += gif.frames[a].colors[i] == gif.frames[b].colors[i] ? 0 : 1;
    }
    return count;
  };
  std::int64_t largest = 0;
  for (std::size_t f = 1; f < gif.frames.size(); ++f) largest = std::max(largest, difference(f - 1, f));
  EXPECT_GT(largest, 0);
  EXPECT_LE(difference(71, 0), largest) << "the step from the last to the first is one like the others";
}

TEST(RotatingFrame, Refuses_Other_Dimensions) {
  const std::string message = message_of<Error>([] {
    write_rotating_frame("never.gif",
                         {.vectors = Eigen::MatrixXd::Identity(4, 4), .title = "", .caption = ""});
  });
  EXPECT_NE(message.find("never.gif"), std::string::npos) << message;
  EXPECT_NE(message.find("3 dimensions can turn; this one has 4"), std::string::npos) << message;
}

}  // namespace
}  // namespace gnc
