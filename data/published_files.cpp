#include "data/published_files.h"

#include <array>

#include "engine/error.h"
#include "engine/nearest_name.h"

namespace gnc {
namespace {

// The checksums are the publishers' own: README.md of Fashion-MNIST, the page of CIFAR; MNIST's are the ones
// that torchvision checks, its mirror being used as well.
constexpr std::array kFashionMnist = {
    PublishedFile{"train-images-idx3-ubyte.gz", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
    PublishedFile{"train-labels-idx1-ubyte.gz", 29515, "25c81989df183df01b3e8a0aad5dffbe"},
    PublishedFile{"t10k-images-idx3-ubyte.gz", 4422102, "bef4ecab320f06d8554ea6380940ec79"},
    PublishedFile{"t10k-labels-idx1-ubyte.gz", 5148, "bb300cfdad3c16e7a12a480ee83cd310"}};
constexpr std::array kMnist = {
    PublishedFile{"train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
    PublishedFile{"train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"},
    PublishedFile{"t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"},
    PublishedFile{"t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"}};
constexpr std::array kCifar10 = {
    PublishedFile{"cifar-10-binary.tar.gz", 170052171, "c32a1d4ab5d03f1284b67883e8d87530"}};
constexpr std::array kCifar100 = {
    PublishedFile{"cifar-100-binary.tar.gz", 168513733, "03b5dce01913d631647c71ecec9e9cb8"}};

const std::array kSets = {
    PublishedSet{"fashion-mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                 kFashionMnist},
    PublishedSet{"mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/", kMnist},
    PublishedSet{"cifar10", "https://www.cs.toronto.edu/~kriz/", kCifar10},
    PublishedSet{"cifar100", "https://www.cs.toronto.edu/~kriz/", kCifar100}};

}  // namespace

const PublishedSet& published_set(std::string_view name) {
  for (const PublishedSet& set : kSets)
    if (set.name == name) return set;
  throw UsageError(unknown_name(name, "a data set that can be downloaded", published_set_names()));
}

std::vector<std::string> published_set_names() {
  std::vector<std::string> names;
  for (const PublishedSet& set : kSets) names.emplace_back(set.name);
  return names;
}

}  // namespace gnc
