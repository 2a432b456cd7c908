#include "engine/checkpoint.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and bytes are copied as they are");

using Json = nlohmann::json;  // objects sort their keys, so equal headers have equal text

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kFormatKey = "gnc.format";
constexpr std::string_view kFormat = "1";
constexpr std::string_view kChecksumKey = "gnc.crc32";
constexpr std::size_t kPrefixBytes = 8;
/// As the format's own implementation has it.
constexpr std::uint64_t kLargestHeader = 100'000'000;

/// An element type of the format, and what its elements are in memory.
struct FileType {
  std::string_view name;
  std::size_t size;  // bytes in the file
  DType dtype;
};
// The types that are written as they are come before those that are converted.
constexpr FileType kFileTypes[] = {{"F64", 8, DType::kF64}, {"F32", 4, DType::kF32}, {"I32", 4, DType::kI32},
                                   {"U8", 1, DType::kU8},   {"F16", 2, DType::kF32}, {"BF16", 2, DType::kF32},
                                   {"I64", 8, DType::kI32}};

const FileType* find_type(std::string_view name) {
  const auto* found = std::ranges::find(kFileTypes, name, &FileType::name);
  return found == std::end(kFileTypes) ? nullptr : found;
}

/// Null where the tensor cannot be written.
const FileType* type_of(const NamedTensor& tensor) {
  const DType dtype = tensor.tensor.spec().dtype;
  if (tensor.stored_as == StoredAs::kI64) return dtype == DType::kI32 ? find_type("I64") : nullptr;
  const auto* found = std::ranges::find(kFileTypes, dtype, &FileType::dtype);
  return found == std::end(kFileTypes) ? nullptr : found;
}

/// IEEE 754 binary16, exactly.
float half_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  const auto magnitude = [&] {
    if (exponent == 0) return std::ldexp(static_cast<float>(fraction), -24);  // zero and subnormal numbers
    if (exponent < 0x1f) return std::ldexp(static_cast<float>(0x400 | fraction), exponent - 25);
    return fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  }();
  return std::copysign(magnitude, (bits & 0x8000) != 0 ? -1.0f : 1.0f);
}

/// For messages: in quotes, cut where it is long, with what is not printable ASCII escaped or replaced.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 100;
  const bool is_cut = text.size() > kLongest;
  return Json(text.substr(0, kLongest)).dump(-1, ' ', true, Json::error_handler_t::replace) +
         (is_cut ? "…" : "");
}

/// See save_safetensors. `header` is without the checksum, `data` are the tensors' bytes in any number of
/// pieces.
std::string checksum(const Json& header, std::span<const std::string_view> data) {
  const auto add = [](uLong crc, std::string_view bytes) {
    if (bytes.empty()) return crc;  // zlib takes a null pointer as the wish to start over
    return crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  };
  uLong crc = add(0, header.dump());
  for (const std::string_view piece : data) crc = add(crc, piece);
  return fmt::format("{:08x}", crc);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Writing
// ---------------------------------------------------------------------------------------------------------------

/// Throws unless the tensors and the metadata can be written.
void check_contents(const std::string& file, const std::vector<NamedTensor>& tensors,
                    const std::map<std::string, std::string>& metadata) {
  std::set<std::string_view> names;
  for (const NamedTensor& entry : tensors) {
    const auto& [name, tensor, stored_as] = entry;
    require<FileError>(names.insert(name).second && name != kMetadata,
                       "{}: cannot write tensor {}: the name is taken already", file, in_quotes(name));
    const TensorSpec& spec = tensor.spec();
    require<ShapeError>(
        spec.layout == Layout::kRowMajor && spec.shape.runs() == 1 && type_of(entry) != nullptr,
        "{}: cannot write tensor {}: it is {}, but files hold row-major fp32, fp64, uint8 or int32 (which "
        "alone may be written as I64) of one run",
        file, in_quotes(name), spec.to_string());
  }
  for (const std::string_view reserved : {kFormatKey, kChecksumKey})
    require<FileError>(!metadata.contains(std::string(reserved)),
                       "{}: cannot write metadata {}: the key is gnc's own", file, in_quotes(reserved));
}

// Reading
// ---------------------------------------------------------------------------------------------------------------

/// Refuses what a JSON library lets through: one key twice in an object, and nesting or arrays that no header
/// has (so the parsed header stays a small multiple of its text).
class HeaderGuard {
 public:
  explicit HeaderGuard(const std::string& file) : file_(file) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    // Deepest is {"name": {"shape": [1]}}: the array opens at depth 2, its numbers are at 3.
    require<FileError>(depth <= 3, "{}: the header nests too deeply to be one of safetensors", file_);
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key)
      require<FileError>(keys_.back().insert(parsed.get<std::string>()).second,
                         "{}: {} comes twice in the header", file_,
                         in_quotes(parsed.get_ref<const std::string&>()));
    if (event == Event::array_start) values_ = 0;
    if (event == Event::value && depth == 3)
      require<FileError>(++values_ <= Shape::kMaxRank, "{}: an array in the header has more than {} values",
                         file_, Shape::kMaxRank);
    return true;
  }

 private:
  const std::string& file_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  int values_ = 0;                           // of the array that is open
};

/// A tensor as the header has it.
struct Entry {
  std::string name;
  FileType type = kFileTypes[0];
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : file_(path.string()), bytes_(read_file(path)) {
    require<FileError>(bytes_.size() >= kPrefixBytes, "{}: {} bytes are too few for a safetensors file",
                       file_, bytes_.size());
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes_.data(), kPrefixBytes);
    require<FileError>(header_bytes <= kLargestHeader && header_bytes <= bytes_.size() - kPrefixBytes,
                       "{}: the header is said to have {} bytes, but the file has {} in all{}", file_,
                       header_bytes, bytes_.size(),
                       header_bytes > kLargestHeader ? " (and 100000000 is the most)" : "");
    const std::string_view text = std::string_view(bytes_).substr(kPrefixBytes, header_bytes);
    data_ = std::string_view(bytes_).substr(kPrefixBytes + header_bytes);
    require<FileError>(text.starts_with('{'),
                       "{}: the header does not start with '{{'; not a safetensors file?", file_);
    // The JSON library takes a NUL for the end of the text.
    require<FileError>(text.find('\0') == text.npos, "{}: the header holds a NUL", file_);
    try {
      header_ = Json::parse(text, HeaderGuard(file_));
    } catch (const Json::parse_error& error) {
      throw FileError(fmt::format("{}: the header is not JSON: wrong at byte {} of the file", file_,
                                  kPrefixBytes + error.byte - 1));
    } catch (const Json::exception& error) {  // a number beyond what a double holds
      throw FileError(fmt::format("{}: the header is not JSON of this format: {}", file_, error.what()));
    }
  }

  Safetensors read() {
    std::vector<Entry> entries;
    for (const auto& [name, fields] : header_.items())
      if (name != kMetadata) entries.push_back(entry(name, fields));
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t position = 0;
    for (const Entry& e : entries) {
      require<FileError>(e.begin == position,
                         "{}: tensor {} starts at data offset {}, but the bytes before it end at {}", file_,
                         in_quotes(e.name), e.begin, position);
      position = e.end;
    }
    require<FileError>(position == data_.size(),
                       "{}: the tensors end at data offset {}, but the file has {} bytes of data", file_,
                       position, data_.size());
    // Behind the checks of offsets, so that of a truncated file the tensor is named that is cut.
    Safetensors contents;
    contents.metadata = take_metadata();
    for (Entry& e : entries) {
      HostTensor tensor = elements(e);
      const StoredAs stored_as = e.type.name == "I64" ? StoredAs::kI64 : StoredAs::kItself;
      contents.tensors.push_back({std::move(e.name), std::move(tensor), stored_as});
    }
    return contents;
  }

 private:
  /// A tensor's elements, converted where no dtype of the engine is theirs.
  HostTensor elements(const Entry& e) const {
    HostTensor tensor(TensorSpec{.shape = e.shape, .dtype = e.type.dtype});
    const auto bytes = std::as_bytes(std::span(data_)).subspan(e.begin, e.end - e.begin);
    const auto convert = [&]<class Stored, class T>(Stored, T, const auto& to_value) {
      std::size_t offset = 0;
      for (T& value : tensor.values<T>()) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + offset, sizeof(Stored));
        value = to_value(stored);
        offset += sizeof(Stored);
      }
    };
    if (e.type.name == "F16") {
      convert(std::uint16_t{}, float{}, half_to_float);
    } else if (e.type.name == "BF16") {
      convert(std::uint16_t{}, float{}, [](std::uint16_t bits) { return Bf16{bits}.to_float(); });
    } else if (e.type.name == "I64") {
      convert(std::int64_t{}, std::int32_t{}, [&](std::int64_t value) {
        require<FileError>(std::in_range<std::int32_t>(value),
                           "{}: tensor {}: {} of I64 does not fit the 32 bits of an integer here", file_,
                           in_quotes(e.name), value);
        return static_cast<std::int32_t>(value);
      });
    } else {
      std::ranges::copy(bytes, tensor.bytes().begin());  // not memcpy, which takes no empty tensor
    }
    return tensor;
  }

  /// The metadata without gnc's own; checks the checksum.
  std::map<std::string, std::string> take_metadata() {
    std::map<std::string, std::string> metadata;
    const auto found = header_.find(kMetadata);
    if (found == header_.end()) return metadata;
    require<FileError>(found->is_object(), "{}: {} is not an object", file_, kMetadata);
    for (const auto& [key, value] : found->items()) {
      require<FileError>(value.is_string(), "{}: metadata {} is not a string", file_, in_quotes(key));
      metadata[key] = value.get<std::string>();
    }
    const auto stored = metadata.extract(std::string(kChecksumKey));
    const auto format = metadata.extract(std::string(kFormatKey));
    if (stored) {
      found->erase(kChecksumKey);
      const std::string computed = checksum(header_, {&data_, 1});
      require<FileError>(stored.mapped() == computed,
                         "{}: damaged: checksum {} is stored, {} computed (CRC-32)", file_,
                         in_quotes(stored.mapped()), computed);
    }
    if (format) {
      require<FileError>(bool{stored}, "{}: damaged: the checksum {} is missing from the metadata", file_,
                         kChecksumKey);
      require<FileError>(format.mapped() == kFormat, "{}: gnc.format is {}; this version reads {}", file_,
                         in_quotes(format.mapped()), kFormat);
    }
    return metadata;
  }

  /// Checks the fields of one tensor against each other and the size of the data.
  Entry entry(const std::string& name, const Json& fields) const {
    const auto check = [&](bool condition, std::string_view what) {
      require<FileError>(condition, "{}: tensor {}: {}", file_, in_quotes(name), what);
    };
    check(fields.is_object() && fields.size() == 3 && fields.contains("dtype") && fields.contains("shape") &&
              fields.contains("data_offsets"),
          "expected dtype, shape and data_offsets, and nothing else");

    Entry result;
    result.name = name;
    const Json& dtype = fields["dtype"];
    const std::string dtype_name = dtype.is_string() ? dtype.get<std::string>() : "?";
    const FileType* known = find_type(dtype_name);
    check(known != nullptr,
          fmt::format("dtype {} cannot be read; expected F64, F32, F16, BF16, I64, I32 or U8",
                      in_quotes(dtype_name)));
    result.type = *known;

    const Json& offsets = fields["data_offsets"];
    check(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
              offsets[1].is_number_unsigned(),
          "data_offsets are not two natural numbers");
    result.begin = offsets[0].get<std::uint64_t>();
    result.end = offsets[1].get<std::uint64_t>();
    check(result.begin <= result.end && result.end <= data_.size(),
          fmt::format("data offsets {} to {} do not lie in the {} bytes of data", result.begin, result.end,
                      data_.size()));

    result.shape = shape(fields["shape"], check);
    const std::uint64_t elements = static_cast<std::uint64_t>(result.shape.elements());
    check(elements <= data_.size() && elements * result.type.size == result.end - result.begin,
          fmt::format("{} elements of {} are not the {} bytes at data offset {}", elements, result.type.name,
                      result.end - result.begin, result.begin));
    return result;
  }

  /// A shape whose number of elements fits in 64 bits.
  template <class Check>
  static Shape shape(const Json& extents, Check check) {
    check(extents.is_array() && extents.size() <= static_cast<std::size_t>(Shape::kMaxRank),
          "shape is not an array of at most four extents");
    std::array<int, Shape::kMaxRank> values{};
    std::int64_t elements = 1;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      check(extents[i].is_number_unsigned() &&
                extents[i].get<std::uint64_t>() <= std::numeric_limits<int>::max(),
            "an extent of the shape is not a natural number below 2^31");
      values[i] = extents[i].get<int>();
      check(!__builtin_mul_overflow(elements, values[i], &elements), "the shape has more than 2^63 elements");
    }
    switch (extents.size()) {
      case 0:
        return {};
      case 1:
        return {values[0]};
      case 2:
        return {values[0], values[1]};
      case 3:
        return {values[0], values[1], values[2]};
      default:
        return {values[0], values[1], values[2], values[3]};
    }
  }

  std::string file_;
  std::string bytes_;
  std::string_view data_;
  Json header_;
};

}  // namespace

void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata, const KnownFolder* folder) {
  const std::string file = path.string();
  check_contents(file, tensors, metadata);
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return type_of(*a)->size > type_of(*b)->size;
  });

  Json header = Json::object();
  std::vector<std::string_view> pieces(
      2);  // length and header come first; the tensors are written where they lie
  std::deque<std::vector<std::int64_t>> widened;  // stays where it is while it grows
  std::size_t end = 0;
  for (const NamedTensor* entry : order) {
    const HostTensor& tensor = entry->tensor;
    Json extents = Json::array();
    for (int i = 0; i < tensor.shape().rank(); ++i) extents.push_back(tensor.shape()[i]);
    const std::size_t begin = end;
    if (entry->stored_as == StoredAs::kI64) {
      const auto values = tensor.values<std::int32_t>();
      pieces.push_back(text_of(std::as_bytes(std::span(widened.emplace_back(values.begin(), values.end())))));
    } else {
      pieces.push_back(text_of(tensor.bytes()));
    }
    end += pieces.back().size();
    header[entry->name] = {
        {"dtype", type_of(*entry)->name}, {"shape", std::move(extents)}, {"data_offsets", {begin, end}}};
  }
  Json& own = header[kMetadata] = metadata;
  own[kFormatKey] = kFormat;

  std::string text;
  try {
    const std::string crc = checksum(header, std::span(pieces).subspan(2));
    own[kChecksumKey] = crc;
    text = header.dump();
  } catch (const Json::type_error&) {
    throw FileError(fmt::format("{}: cannot write: a name or the metadata are not UTF-8", file));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data start at a multiple of 8
  const std::uint64_t header_bytes = text.size();
  std::string prefix(kPrefixBytes, '\0');
  std::memcpy(prefix.data(), &header_bytes, kPrefixBytes);
  pieces[0] = prefix;
  pieces[1] = text;
  write_atomically(path, pieces, folder);
}

Safetensors load_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

}  // namespace gnc
