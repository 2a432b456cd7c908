/// Writes the files that the fuzzers start from, small and of every kind that is read:
///   gnc_make_fuzz_corpus FOLDER

#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "data/picture.h"
#include "engine/checkpoint.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "models/npy.h"
#include "tests/data/files.h"
#include "tests/data/pickles.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "\n----\n";

std::string noise_bytes(std::size_t count) {
  const std::vector<std::uint8_t> bytes = noise(count, 1);
  return {bytes.begin(), bytes.end()};
}

std::string tar(std::span<const TarItem> items, Compression compression) {
  const TempDir folder;
  write_tar(folder / "archive", items, compression);
  return read_file(folder / "archive");
}

class Corpus {
 public:
  explicit Corpus(fs::path folder) : folder_(std::move(folder)) {}
  void add(std::string_view target, const std::string& name, std::string_view bytes) const {
    write_file(folder_ / target / name, bytes);
  }

 private:
  fs::path folder_;
};

void add_idx(const Corpus& corpus) {
  const std::array<std::uint32_t, 3> extents = {2, 2, 3};
  const std::array<std::uint32_t, 1> count = {2};
  const std::string images = idx_file(0x803, extents, noise_bytes(12));
  const std::string labels = idx_file(0x801, count, std::string("\x00\x09", 2));
  corpus.add("idx", "plain", images + std::string(kMark) + labels);
  corpus.add("idx", "gzip", gzip(images) + std::string(kMark) + gzip(labels));
  corpus.add("idx", "mixed", gzip(images) + std::string(kMark) + labels);
}

void add_pictures(const Corpus& corpus) {
  for (const PictureShape shape : {PictureShape{4, 5, 1}, PictureShape{9, 17, 3}}) {
    const auto pixels = noise(static_cast<std::size_t>(shape.bytes()), 2);
    const std::string name = shape.to_string();
    corpus.add("picture", "stored-" + name + ".png", png_file(shape, pixels));
    corpus.add("picture", "packed-" + name + ".png", encode_png(shape, pixels));
    corpus.add("picture", "baseline-" + name + ".jpg", encode_jpeg(shape, pixels, 60));
    corpus.add("picture", "fine-" + name + ".jpg", encode_jpeg(shape, pixels, 100));
  }
}

void add_archives(const Corpus& corpus) {
  const PictureShape shape{.height = 2, .width = 2, .channels = 1};
  const std::string png = png_file(shape, noise(4, 3));
  const std::vector<TarItem> pictures = {
      {"set/train/a/0.png", png}, {"set/train/b/1.png", png}, {"set/test/a/2.png", png}};
  std::vector<TarItem> links = pictures;
  links.push_back({.path = "set/train/b/3.png", .bytes = {}, .symlink_target = "../../../../etc/passwd"});
  links.push_back({.path = "set/train/b/4.png", .bytes = {}, .hardlink_target = "set/train/a/0.png"});
  const std::vector<TarItem> escaping = {{"../../outside", "x"}};
  const std::vector<TarItem> named = {{"train/\x1b[2J\xff/0.png", png}, {"test/\x1b[2J\xff/0.png", png}};
  for (const char* target : {"tar", "images"}) {
    corpus.add(target, "pictures.tar", tar(pictures, Compression::kNone));
    corpus.add(target, "pictures.tar.gz", tar(pictures, Compression::kGzip));
    corpus.add(target, "pictures.tar.xz", tar(pictures, Compression::kXz));
    corpus.add(target, "links.tar", tar(links, Compression::kNone));
    corpus.add(target, "escaping.tar", tar(escaping, Compression::kNone));
    corpus.add(target, "names.tar", tar(named, Compression::kNone));
  }
}

std::string pickled_split(Pickler pickler, int records) {
  const std::vector<int> labels(static_cast<std::size_t>(records), 1);
  PickleWriter writer(pickler);
  writer.array("data", records, 3072, noise_bytes(static_cast<std::size_t>(records) * 3072));
  writer.numbers("fine_labels", labels);
  writer.numbers("coarse_labels", labels);
  return writer.finish();
}

void add_cifar(const Corpus& corpus) {
  const auto records = [](int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += std::string("\x01\x02", 2) + noise_bytes(3072);
    return bytes;
  };
  const std::string mark(kMark);
  corpus.add("cifar", "binary", records(2) + mark + records(1) + mark + mark + "a\nb\nc\n" + mark + "x\ny\n");
  for (const Pickler pickler : kPicklers) {
    const std::string name = fmt::format("pickle-{}", static_cast<int>(pickler));
    const std::array<std::string, 3> fine = {"a", "b", "c"};
    const std::array<std::string, 2> coarse = {"x", "y"};
    PickleWriter meta(pickler);
    meta.bytes_list("fine_label_names", fine);
    meta.bytes_list("coarse_label_names", coarse);
    corpus.add("cifar", name,
               pickled_split(pickler, 2) + mark + pickled_split(pickler, 1) + mark + meta.finish());

    PickleWriter small(pickler);
    small.array("data", 2, 3, "abcdef");
    small.numbers("labels", std::array{0, 1, 300, -1, 70000});
    small.bytes_list("label_names", fine);
    small.number("batch", 1);
    corpus.add("pickle", name, small.finish());
  }
}

void add_weights(const Corpus& corpus) {
  const TempDir folder;
  HostTensor numbers(TensorSpec{.shape = Shape{2, 3}, .dtype = DType::kF32});
  HostTensor count(TensorSpec{.shape = Shape{}, .dtype = DType::kI32});
  const fs::path file = folder / "weights.safetensors";
  std::vector<NamedTensor> tensors;
  tensors.push_back({"bn.num_batches_tracked", std::move(count), StoredAs::kI64});
  tensors.push_back({"fc.weight", std::move(numbers), StoredAs::kItself});
  save_safetensors(file, tensors, {{"epoch", "1"}, {"step", "2"}});
  corpus.add("safetensors", "gnc", read_file(file));
  save_safetensors(file, {}, {});
  corpus.add("safetensors", "empty", read_file(file));
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1,1],"data_offsets":[4,6]}})";
  std::string others(8, '\0');
  others[0] = static_cast<char>(header.size());
  corpus.add("safetensors", "half", others + header + "abcdef");
}

void add_frames(const Corpus& corpus) {
  const TempDir folder;
  const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(2, 2);
  corpus.add("npy", "float64", format_npy(identity));
  const std::string plain = "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }";
  const std::string version1 =
      std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(plain.size()) + '\0' + plain + "abcdefgh";
  corpus.add("npy", "float32", version1);
  corpus.add("npy", "version2",
             std::string("\x93NUMPY\x02\x00", 8) + static_cast<char>(plain.size()) + std::string(3, '\0') +
                 plain + "abcdefgh");
  Frame frame{.vectors = identity, .provenance = {}};
  frame.provenance.method = "best";
  frame.provenance.seed = 3;
  write_frame(folder / "frame.npy", frame);
  const std::string sidecar = read_file(folder / "frame.json");
  corpus.add("sidecar", "whole", sidecar);
  auto report = nlohmann::ordered_json::parse(sidecar);
  report["transforms"] = {{{"kind", "permutation"}, {"seed", nullptr}, {"permutation", {1, 0}}},
                          {{"kind", "haar"}, {"seed", 7}}};
  corpus.add("sidecar", "transformed", report.dump());
  corpus.add("sidecar", "nested", std::string(2000, '['));
}

void add_runs(const Corpus& corpus) {
  corpus.add("toml", "run",
             "# gnc train\ndata = \"synthetic:classes=3\"\nepochs = 20\nlr = 5e-2\nnesterov = true\n");
  corpus.add("toml", "arrays",
             "frames = 10\nlr-steps = [120, 160]\nmetrics = [\"zhu\", 'jiang'] # some\n\"out\" = "
             "\"a\\\"b\\\\\\n\\u00e9\"\r\n");
  corpus.add("toml", "empty", "\n# nothing\n");
  const std::string metrics =
      "epoch,lr,train_ce,train_accuracy,test_ce,test_accuracy,nc1\n1,0.05,1.5,0.25,nan,inf,1e-300\n2,0.05,1,"
      "1,1,1,-0\n";
  corpus.add("csv", "metrics", metrics);
  corpus.add("csv", "quoted", "\"a\"\"b\",\"c,d\"\r\n\"\",\"x\ny\"\r\n");
  corpus.add("csv", "one-column", "a\n\"\"\n18446744073709551615\n");
  const std::string mark(kMark);
  const std::string result =
      R"({"model":"mlp","epochs":2,"train_ce":1.0,"train_accuracy":1,"test_ce":1.0,"test_accuracy":0.5,"seconds":1.0,"nc1":0.1,"settings":{"transformation":"identity","seed":1}})";
  const std::string frame = format_npy(Eigen::MatrixXd::Identity(2, 2));
  corpus.add("run", "finished",
             result + mark + metrics + mark + "label,z0,z1\n0,1,2\n" + mark + frame + mark + frame);
  corpus.add("run", "mistyped", R"({"settings":{"transformation":3,"seed":"x"}})" + mark + metrics);
  corpus.add("run", "nested", R"({"settings":)" + std::string(3000, '[') + mark + metrics);
}

}  // namespace
}  // namespace gnc::tests

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: gnc_make_fuzz_corpus FOLDER\n");
    return 2;
  }
  const gnc::tests::Corpus corpus(argv[1]);
  add_archives(corpus);
  add_cifar(corpus);
  add_frames(corpus);
  add_idx(corpus);
  add_pictures(corpus);
  add_runs(corpus);
  add_weights(corpus);
  return 0;
}
