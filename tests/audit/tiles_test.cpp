#include "audit/tiles.h"

#include <doctest/doctest.h>

#include <map>

#include "base/encoding.h"

namespace tpf::audit::test {
namespace {

struct Files {
    std::map<std::string, std::string> all;
    WriteFile write = [this](const std::string& path, std::string_view content) {
        all[path] = content;
        return ok();
    };
};

Digest leaf_of(std::uint64_t number) {
    return leaf_hash(std::to_string(number));
}

}  // namespace

TEST_SUITE("audit/tiles") {
    TEST_CASE("paths as tlog-tiles has them") {
        CHECK(tile_path(0, 1234067, 256) == "tile/0/x001/x234/067");
        CHECK(tile_path(0, 1234067, 8) == "tile/0/x001/x234/067.p/8");
        CHECK(tile_path(3, 0, 256) == "tile/3/000");
        CHECK(tile_path(0, 999, 256) == "tile/0/999");
        CHECK(tile_path(0, 1000, 1) == "tile/0/x001/000.p/1");
        CHECK(bundle_path(273, 256) == "tile/entries/273");
    }

    TEST_CASE("tiles of 70,000 leaves") {
        Files files;
        TileBuilder tiles(files.write);
        for (std::uint64_t i = 0; i < 70'000; ++i) REQUIRE(tiles.add(leaf_of(i)).has_value());
        REQUIRE(tiles.finish().has_value());
        // 273 full tiles of leaves and 112 more; one full tile of their roots and 17 more; its root.
        CHECK(files.all.size() == 273 + 1 + 1 + 1 + 1);
        CHECK(files.all.at("tile/0/273.p/112").size() == 112 * 32);
        CHECK(files.all.at("tile/1/000").size() == 256 * 32);
        CHECK(files.all.at("tile/1/001.p/17").size() == 17 * 32);
        const std::string& top = files.all.at("tile/2/000.p/1");
        CompactRange first;
        for (std::uint64_t i = 0; i < 65'536; ++i) append(first, leaf_of(i));
        CHECK(top == as_text(root_of(first)));
        CHECK(files.all.at("tile/0/001").substr(0, 32) == as_text(leaf_of(256)));
        CHECK(tiles.head().size == 70'000);
    }

    TEST_CASE("no partial tile where there would be none") {
        Files files;
        TileBuilder tiles(files.write);
        for (std::uint64_t i = 0; i < 256; ++i) REQUIRE(tiles.add(leaf_of(i)).has_value());
        REQUIRE(tiles.finish().has_value());
        CHECK(files.all.size() == 2);
        CHECK(files.all.contains("tile/0/000"));
        CHECK(files.all.contains("tile/1/000.p/1"));
    }

    TEST_CASE("bundles") {
        Files files;
        BundleBuilder bundles(files.write);
        for (int i = 0; i < 257; ++i) REQUIRE(bundles.add("ab").has_value());
        REQUIRE(bundles.finish().has_value());
        CHECK(files.all.at("tile/entries/000").size() == 256 * 4);
        CHECK(files.all.at("tile/entries/001.p/1") == std::string("\0\2ab", 4));
        CHECK(bundles.add(std::string(65'535, 'x')).has_value());
        const auto refused = bundles.add(std::string(65'536, 'x'));
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::limit);
    }

    TEST_CASE("what cannot be written ends it") {
        TileBuilder tiles([](const std::string&, std::string_view) { return fail(Code::disk_full, ""); });
        for (std::uint64_t i = 0; i < 255; ++i) REQUIRE(tiles.add(leaf_of(i)).has_value());
        CHECK_FALSE(tiles.add(leaf_of(255)).has_value());
    }
}

}  // namespace tpf::audit::test
