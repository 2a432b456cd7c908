/// gnc data info|convert|fetch.

#include <fmt/format.h>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "apps/commands/commands.h"
#include "apps/data_options.h"
#include "apps/options.h"
#include "apps/progress.h"
#include "data/cifar.h"
#include "data/fetch.h"
#include "data/idx.h"
#include "data/parallel.h"
#include "data/picture.h"
#include "engine/error.h"
#include "engine/file.h"
#include "engine/printable.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

enum class Format : std::uint8_t { kCifar, kIdx, kImages };

struct Options {
  CommonOptions common;
  DataOptions data;
  fs::path out;
  Format format = Format::kImages;

  Dataset load() {
    data.threads = common.threads;
    return load_subset(data);
  }
};

void print_info(const Dataset& dataset, const DataOptions& options) {
  const std::vector<ChannelStatistics> channels = channel_statistics(dataset.train);
  fmt::print("data          {}\n", printable(options.spec));
  fmt::print("classes       {}\n", dataset.num_classes());
  fmt::print("pictures      {} (height x width x channels)\n", shape_of(dataset.train).to_string());
  fmt::print("training set  {}\n", dataset.train.size());
  fmt::print("test set      {}\n", dataset.test.size());
  for (std::size_t c = 0; c < channels.size(); ++c)
    fmt::print(
        "channel {}     mean {:.4f}, standard deviation {:.4f} (training pictures in [0,1]), stored values "
        "{} to {}\n",
        c, channels[c].mean, channels[c].deviation, channels[c].minimum, channels[c].maximum);
  fmt::print("\n{:>6}  {:<24} {:>9} {:>9}\n", "label", "class", "training", "test");
  const std::vector<std::int64_t> train = class_counts(dataset.train), test = class_counts(dataset.test);
  for (std::size_t label = 0; label < train.size(); ++label)
    fmt::print("{:>6}  {:<24} {:>9} {:>9}\n", label, printable(dataset.class_names[label]), train[label],
               test[label]);
  std::fflush(stdout);
}

nlohmann::ordered_json info_json(const Dataset& dataset, const DataOptions& options) {
  const PictureShape shape = shape_of(dataset.train);
  nlohmann::ordered_json channels = nlohmann::ordered_json::array();
  for (const ChannelStatistics& channel : channel_statistics(dataset.train))
    channels.push_back({{"mean", channel.mean},
                        {"std", channel.deviation},
                        {"minimum", channel.minimum},
                        {"maximum", channel.maximum}});
  return {{"data", options.spec},
          {"name", dataset.name},
          {"classes", dataset.num_classes()},
          {"height", shape.height},
          {"width", shape.width},
          {"channels", shape.channels},
          {"train_pictures", dataset.train.size()},
          {"test_pictures", dataset.test.size()},
          {"train_channels", channels},
          {"class_names", dataset.class_names},
          {"train_counts", class_counts(dataset.train)},
          {"test_counts", class_counts(dataset.test)}};
}

void write_idx(const Dataset& dataset, const NewDirectory& out) {
  require<UsageError>(dataset.num_classes() == 10, "--format idx: {} classes; mnist: reads ten",
                      dataset.num_classes());
  const auto write_split = [&](const std::string& prefix, const ImageSet& images) {
    out.write(prefix + "-images-idx3-ubyte", encode_idx_images(images));
    out.write(prefix + "-labels-idx1-ubyte", encode_idx_labels(images));
  };
  write_split("train", dataset.train);
  write_split("t10k", dataset.test);
}

void write_cifar(const Dataset& dataset, const NewDirectory& out) {
  encode_cifar(dataset, [&](const std::string& name, std::string_view bytes) { out.write(name, bytes); });
}

/// Class names as folders: a slash cannot be in one, and a leading dot would hide it.
std::vector<std::string> folder_names(const std::vector<std::string>& class_names) {
  std::vector<std::string> folders;
  for (std::string name : class_names) {
    for (char& c : name) c = c == '/' || c == '\0' ? '-' : c;
    if (name.empty() || name.front() == '.') name.insert(name.begin(), '-');
    folders.push_back(std::move(name));
  }
  require<UsageError>(std::set(folders.begin(), folders.end()).size() == folders.size(),
                      "--format images: two classes would share a folder");
  return folders;
}

void write_images(const Dataset& dataset, const NewDirectory& out, int threads) {
  const std::vector<std::string> folders = folder_names(dataset.class_names);
  const auto write_split = [&](const fs::path& split, const ImageSet& images) {
    const PictureShape shape = shape_of(images);
    parallel_for(images.size(), threads, [&](std::int64_t i) {
      const auto label = static_cast<std::size_t>(images.labels[static_cast<std::size_t>(i)]);
      out.write(split / folders[label] / fmt::format("{:06}.png", i), encode_png(shape, picture(images, i)));
    });
  };
  write_split("train", dataset.train);
  write_split("test", dataset.test);
}

void convert(Options& options) {
  const NewDirectory out(options.out);
  const Dataset dataset = options.load();
  switch (options.format) {
    case Format::kCifar:
      write_cifar(dataset, out);
      break;
    case Format::kIdx:
      write_idx(dataset, out);
      break;
    case Format::kImages:
      write_images(dataset, out, options.common.threads);
      break;
  }
  out.finish();
  if (options.common.is_json)
    print_json({{"out", options.out.string()},
                {"train_pictures", dataset.train.size()},
                {"test_pictures", dataset.test.size()}});
}

struct FetchOptions {
  CommonOptions common;  // --json alone
  std::string name;
  fs::path into;
  std::string url;
};

void fetch(const FetchOptions& options) {
  const PublishedSet& set = published_set(options.name);
  const fs::path into = options.into.empty() ? fs::path(options.name) : options.into;
  const std::string url = options.url.empty() ? std::string(set.url) : options.url;
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const PublishedFile& file : set.files) {
    Progress progress({.label = std::string(file.name), .unit = "MB", .units_per_step = 1e-6, .seconds = {}});
    const FetchOutcome outcome =
        fetch_file(file, url, into, [&](std::int64_t bytes) { progress.update(bytes, file.bytes); });
    progress.finish();
    const bool is_new = outcome == FetchOutcome::kDownloaded;
    if (!options.common.is_json)
      fmt::print("{}: {}, {} bytes, MD5 {} as published\n", printable((into / file.name).string()),
                 is_new ? "downloaded" : "there already", file.bytes, file.md5);
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"md5", file.md5}, {"downloaded", is_new}});
  }
  const std::string spec = fmt::format("{}:{}", options.name, into.string());
  if (options.common.is_json)
    print_json({{"data", spec}, {"into", into.string()}, {"files", files}});
  else
    fmt::print("use it as --data {}\n", printable(spec));
}

void add_fetch_command(CLI::App& data) {
  const auto options = std::make_shared<FetchOptions>();
  CLI::App* command =
      data.add_subcommand("fetch", "Download a public data set, checked against the published checksums");
  command->add_option("NAME", options->name, fmt::format("{}", fmt::join(published_set_names(), ", ")))
      ->required();
  command->add_option("--into", options->into, "Folder for the files; default: NAME")->type_name("DIR");
  command
      ->add_option("--url", options->url,
                   "Where the files are instead of at their publisher's: a mirror's folder, http or https")
      ->type_name("URL");
  add_json_option(*command, options->common);
  command->callback([options] { fetch(*options); });
}

CLI::App* add_subcommand(CLI::App& data, const std::string& name, const std::string& description,
                         const std::shared_ptr<Options>& options) {
  CLI::App* command = data.add_subcommand(name, description);
  command->add_option("SPEC", options->data.spec, "Data set, as --data of gnc train")->required();
  add_subset_options(*command, options->data);
  add_threads_option(*command, options->common);
  add_json_option(*command, options->common);
  return command;
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "What a data set is; one format to another; download");
  data->require_subcommand(1);
  const auto options = std::make_shared<Options>();

  CLI::App* info = add_subcommand(
      *data, "info", "Splits, picture size, classes with their counts, mean and deviation", options);
  info->callback([options] {
    const Dataset dataset = options->load();
    if (options->common.is_json)
      print_json(info_json(dataset, options->data));
    else
      print_info(dataset, options->data);
    fmt::print(stderr, "{}", missing_classes_warning(dataset.train, dataset.test, dataset.class_names));
  });

  CLI::App* conversion = add_subcommand(*data, "convert", "Write a data set in another format", options);
  conversion->add_option("--out", options->out, "New folder for the files")->required()->type_name("DIR");
  add_choice_option(
      *conversion, "--format", options->format,
      {{"images", Format::kImages}, {"idx", Format::kIdx}, {"cifar", Format::kCifar}},
      "images: train/CLASS/*.png and test/CLASS/*.png, labels in the order of the sorted class names; idx: "
      "MNIST's files (grey pictures, ten classes); cifar: the binary version of CIFAR-10 or, with its coarse "
      "labels, CIFAR-100 (as many 32x32x3 pictures and classes as these have)");
  conversion->callback([options] { convert(*options); });
  add_fetch_command(*data);
}

}  // namespace gnc
