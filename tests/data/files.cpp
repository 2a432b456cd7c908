#include "tests/data/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "engine/random.h"

namespace gnc::tests {
namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((value >> shift) & 0xFFu));
  return bytes;
}

}  // namespace

std::filesystem::path write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  require(!file.fail(), "{}: the test cannot write its file", path.string());
  return path;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  require(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "deflateInit2");
  std::string result(deflateBound(&stream, static_cast<uLong>(bytes.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string idx_file(std::uint32_t magic, std::span<const std::uint32_t> extents, std::string_view values) {
  std::string bytes = big_endian(magic);
  for (const std::uint32_t extent : extents) bytes += big_endian(extent);
  return bytes.append(values);
}

std::string png_chunk(std::string_view type, std::string_view contents) {
  const std::string checked = std::string(type) + std::string(contents);
  const auto checksum =
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return big_endian(static_cast<std::uint32_t>(contents.size())) + checked +
         big_endian(static_cast<std::uint32_t>(checksum));
}

std::string png_file(const PictureShape& shape, std::span<const std::uint8_t> pixels) {
  const char colour_type = shape.channels == 1 ? 0 : shape.channels == 3 ? 2 : 6;
  const std::string header = big_endian(static_cast<std::uint32_t>(shape.width)) +
                             big_endian(static_cast<std::uint32_t>(shape.height)) +
                             std::string{8, colour_type, 0, 0, 0};
  std::string rows;
  const auto row_bytes = static_cast<std::size_t>(shape.width * shape.channels);
  for (std::size_t at = 0; at < pixels.size(); at += row_bytes) {
    rows.push_back(0);  // filter: none
    rows.append(reinterpret_cast<const char*>(pixels.data()) + at, row_bytes);
  }
  uLongf length = compressBound(static_cast<uLong>(rows.size()));
  std::string data(length, '\0');
  require(compress(reinterpret_cast<Bytef*>(data.data()), &length,
                   reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size())) == Z_OK,
          "compress");
  data.resize(length);
  return std::string("\x89PNG\r\n\x1a\n", 8) + png_chunk("IHDR", header) + png_chunk("IDAT", data) +
         png_chunk("IEND", "");
}

std::vector<std::uint8_t> noise(std::size_t count, std::uint64_t seed) {
  const RandomStream random(seed, "test noise");
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(random.below(i, 256));
  return bytes;
}

void write_tar(const std::filesystem::path& path, std::span<const TarItem> items, Compression compression) {
  std::filesystem::create_directories(path.parent_path());
  const std::unique_ptr<archive, int (*)(archive*)> out(archive_write_new(), archive_write_free);
  archive_write_set_format_gnutar(out.get());
  if (compression == Compression::kGzip) archive_write_add_filter_gzip(out.get());
  if (compression == Compression::kXz) archive_write_add_filter_xz(out.get());
  require(archive_write_open_filename(out.get(), path.c_str()) == ARCHIVE_OK,
          "{}: the test cannot write its file", path.string());
  for (const TarItem& item : items) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    archive_entry_set_pathname(entry.get(), item.path.c_str());
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_filetype(entry.get(), item.path.ends_with('/') ? AE_IFDIR : AE_IFREG);
    if (!item.symlink_target.empty()) {
      archive_entry_set_filetype(entry.get(), AE_IFLNK);
      archive_entry_set_symlink(entry.get(), item.symlink_target.c_str());
    }
    if (!item.hardlink_target.empty()) archive_entry_set_hardlink(entry.get(), item.hardlink_target.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(item.bytes.size()));
    require(archive_write_header(out.get(), entry.get()) == ARCHIVE_OK, "{}: {}", item.path,
            archive_error_string(out.get()));
    if (!item.bytes.empty()) archive_write_data(out.get(), item.bytes.data(), item.bytes.size());
  }
  require(archive_write_close(out.get()) == ARCHIVE_OK, "{}: {}", path.string(),
          archive_error_string(out.get()));
}

bool same(const ImageSet& a, const ImageSet& b) {
  return a.pixels.spec() == b.pixels.spec() && std::ranges::equal(a.pixels.bytes(), b.pixels.bytes()) &&
         a.labels == b.labels && a.num_classes == b.num_classes;
}

bool same(const Dataset& a, const Dataset& b) {
  return a.class_names == b.class_names && same(a.train, b.train) && same(a.test, b.test);
}

ImageSet image_set(const PictureShape& shape, std::span<const std::uint8_t> pixels,
                   std::vector<std::int32_t> labels, int num_classes) {
  ImageSet images = make_image_set(static_cast<std::int64_t>(labels.size()), shape, num_classes, "test");
  require(images.pixels.bytes().size() == pixels.size(), "the test's pixels do not fit its labels");
  std::ranges::copy(pixels, images.pixels.values<std::uint8_t>().begin());
  images.labels = std::move(labels);
  return images;
}

}  // namespace gnc::tests
