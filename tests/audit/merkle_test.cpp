#include "audit/merkle.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <span>

#include "base/encoding.h"
#include "tests/support/vectors.h"

namespace tpf::audit::test {
namespace {

using Json = nlohmann::json;
using Leaves = std::span<const std::string>;

// --- the definitions of RFC 6962 § 2.1, as they stand there ---

std::size_t split(std::size_t n) {
    std::size_t k = 1;
    while (k * 2 < n) k *= 2;
    return k;
}
Digest plain(std::string_view prefix, std::string_view a, std::string_view b) {
    return sha256(std::string(prefix) + std::string(a) + std::string(b));
}
Digest naive_root(Leaves d) {
    if (d.empty()) return sha256(std::string_view());
    if (d.size() == 1) return plain(std::string(1, '\0'), d[0], "");
    const std::size_t k = split(d.size());
    return plain("\x01", as_text(naive_root(d.first(k))), as_text(naive_root(d.subspan(k))));
}
Proof naive_path(std::size_t m, Leaves d) {
    if (d.size() == 1) return {};
    const std::size_t k = split(d.size());
    Proof path = m < k ? naive_path(m, d.first(k)) : naive_path(m - k, d.subspan(k));
    path.push_back(m < k ? naive_root(d.subspan(k)) : naive_root(d.first(k)));
    return path;
}
Proof naive_subproof(std::size_t m, Leaves d, bool whole) {
    if (m == d.size()) return whole ? Proof() : Proof{naive_root(d)};
    const std::size_t k = split(d.size());
    Proof proof = m <= k ? naive_subproof(m, d.first(k), whole) : naive_subproof(m - k, d.subspan(k), false);
    proof.push_back(m <= k ? naive_root(d.subspan(k)) : naive_root(d.first(k)));
    return proof;
}

/// Nodes as a log keeps them, and how often it was asked.
struct Tree final : NodeSource {
    std::vector<std::vector<Digest>> levels;
    CompactRange edge;
    std::size_t asked = 0;

    void add(const std::string& entry) {
        std::vector<Digest> completed;
        const Digest leaf = leaf_hash(entry);
        append(edge, leaf, completed);
        completed.insert(completed.begin(), leaf);
        if (levels.size() < completed.size()) levels.resize(completed.size());
        for (std::size_t level = 0; level < completed.size(); ++level) levels[level].push_back(completed[level]);
    }
    Result<Digest> node(unsigned level, std::uint64_t index) override {
        ++asked;
        if (level >= levels.size() || index >= levels[level].size()) return fail(Code::journal, "no such node");
        return levels[level][index];
    }
};

std::vector<std::string> entries(std::size_t count) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back("entry " + std::to_string(i));
    return all;
}
Tree tree_of(Leaves leaves) {
    Tree tree;
    for (const std::string& leaf : leaves) tree.add(leaf);
    return tree;
}
/// Every way to change one bit.
template <class Check>
void each_bit(const Proof& proof, Check check) {
    for (std::size_t node = 0; node < proof.size(); ++node) {
        for (std::size_t bit = 0; bit < 256; ++bit) {
            Proof changed = proof;
            changed[node][bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
            check(changed);
        }
    }
}

std::optional<Digest> digest_in(const Json& base64) {
    Digest digest{};
    const auto bytes = from_base64(base64.get<std::string>());
    if (!bytes || bytes.value().size() != digest.size()) return std::nullopt;
    std::copy(bytes.value().begin(), bytes.value().end(), digest.begin());
    return digest;
}
/// What the vector's verifier should answer. A number that is negative and a hash of another length are no arguments
/// that our types can hold: they are refused where they are read.
bool accepts(const Json& vector) {
    const auto leaf = digest_in(vector.at("leafHash"));
    const auto root = digest_in(vector.at("root"));
    if (!vector.at("leafIdx").is_number_unsigned() || !vector.at("treeSize").is_number_unsigned() || !leaf || !root)
        return false;
    Proof proof;
    if (!vector.at("proof").is_null()) {
        for (const Json& one : vector.at("proof")) {
            const auto node = digest_in(one);
            if (!node) return false;
            proof.push_back(*node);
        }
    }
    return verify_inclusion(*leaf, vector.at("leafIdx").get<std::uint64_t>(), proof,
                            {vector.at("treeSize").get<std::uint64_t>(), *root});
}

// The trees of the Certificate Transparency reference implementation: the leaves, and the roots of the first 0 to 8.
const std::vector<std::string> kKnownLeaves{"",
                                            std::string(1, '\0'),
                                            "\x10",
                                            "\x20\x21",
                                            "\x30\x31",
                                            "\x40\x41\x42\x43",
                                            "\x50\x51\x52\x53\x54\x55\x56\x57",
                                            "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
constexpr const char* kKnownRoots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                       "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                       "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                       "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                       "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                       "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                       "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                       "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                       "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::vector<std::string> hex_of(const Proof& proof) {
    std::vector<std::string> texts;
    for (const Digest& node : proof) texts.push_back(hex(node));
    return texts;
}

}  // namespace

TEST_SUITE("audit/merkle") {
    TEST_CASE("known roots and consistency proofs") {
        Tree tree;
        CHECK(hex(root_of(tree.edge)) == kKnownRoots[0]);
        for (std::size_t i = 0; i < kKnownLeaves.size(); ++i) {
            tree.add(kKnownLeaves[i]);
            CHECK(hex(root_of(tree.edge)) == kKnownRoots[i + 1]);
        }
        const std::vector<std::string> six_eight{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                                                 "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                                 "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
        CHECK(hex_of(consistency_proof(tree, 6, 8).value()) == six_eight);
        const std::vector<std::string> two_five{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"};
        CHECK(hex_of(consistency_proof(tree, 2, 5).value()) == two_five);
    }

    TEST_CASE("inclusion vectors from outside, good and damaged") {
        const auto folder = tpf::test::vectors() / "merkle" / "inclusion";
        if (!std::filesystem::exists(folder)) return tpf::test::skipped("merkle/inclusion");
        std::size_t good = 0, bad = 0;
        for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
            if (!file.is_regular_file()) continue;
            CAPTURE(file.path().string());
            REQUIRE(file.path().extension() == ".json");
            const Json vector = Json::parse(tpf::test::read_whole(file.path()));
            const bool wanted = !vector.at("wantErr").get<bool>();
            CHECK(accepts(vector) == wanted);
            ++(wanted ? good : bad);
        }
        CHECK(good + bad == 98);  // all that there are; with the folder's LICENSE 99 files
        CHECK(good == 6);
    }

    TEST_CASE("roots, edges and inclusion proofs are those of the RFC's definitions") {
        constexpr std::size_t kMost = 130;
        const auto all = entries(kMost);
        Tree tree;
        for (std::size_t size = 1; size <= kMost; ++size) {
            CAPTURE(size);
            tree.add(all[size - 1]);
            const Leaves leaves = Leaves(all).first(size);
            const TreeHead head{size, naive_root(leaves)};
            REQUIRE(head_of(tree.edge) == head);
            REQUIRE(range_at(tree, size).value() == tree.edge);
            for (std::size_t index = 0; index < size; ++index) {
                CAPTURE(index);
                const Proof proof = inclusion_proof(tree, index, size).value();
                REQUIRE(proof == naive_path(index, leaves));
                REQUIRE(verify_inclusion(leaf_hash(all[index]), index, proof, head));
            }
        }
    }

    TEST_CASE("consistency proofs are those of the RFC's definitions") {
        constexpr std::size_t kMost = 130;
        const auto all = entries(kMost);
        Tree tree = tree_of(all);
        std::vector<Digest> roots;
        for (std::size_t size = 0; size <= kMost; ++size) roots.push_back(naive_root(Leaves(all).first(size)));
        for (std::size_t size = 1; size <= kMost; ++size) {
            CAPTURE(size);
            for (std::size_t old = 0; old <= size; ++old) {
                CAPTURE(old);
                const Proof proof = consistency_proof(tree, old, size).value();
                if (old != 0) REQUIRE(proof == naive_subproof(old, Leaves(all).first(size), true));
                REQUIRE(verify_consistency({old, roots[old]}, {size, roots[size]}, proof));
                if (old == 0) continue;  // says nothing of the new tree
                REQUIRE_FALSE(verify_consistency({old, roots[old - 1]}, {size, roots[size]}, proof));
                REQUIRE_FALSE(verify_consistency({old, roots[old]}, {size, roots[size - 1]}, proof));
            }
        }
    }

    TEST_CASE("all sizes to some hundreds: every proof verifies, at its place alone") {
        constexpr std::size_t kMost = 400;
        const auto all = entries(kMost);
        Tree tree = tree_of(all);
        std::vector<TreeHead> heads;
        for (std::size_t size = 0; size <= kMost; ++size) heads.push_back(head_of(range_at(tree, size).value()));
        for (std::size_t size = 1; size <= kMost; ++size) {
            CAPTURE(size);
            for (std::size_t i = 0; i < size; ++i) {
                CAPTURE(i);
                const Proof included = inclusion_proof(tree, i, size).value();
                REQUIRE(verify_inclusion(tree.levels[0][i], i, included, heads[size]));
                REQUIRE_FALSE(verify_inclusion(tree.levels[0][i], i ^ 1, included, heads[size]));
                REQUIRE_FALSE(verify_inclusion(tree.levels[0][i], i, included, {2 * size, heads[size].root}));
                const Proof consistent = consistency_proof(tree, i, size).value();
                REQUIRE(verify_consistency(heads[i], heads[size], consistent));
                if (i == 0) continue;
                if (i > 1) REQUIRE_FALSE(verify_consistency(heads[i - 1], heads[size], consistent));
                REQUIRE_FALSE(verify_consistency(heads[i], {2 * size, heads[size].root}, consistent));
            }
        }
    }

    TEST_CASE("every bit of a proof counts, and every hash of it") {
        const auto all = entries(21);
        Tree tree = tree_of(all);
        const TreeHead head = head_of(tree.edge);
        for (const std::uint64_t index : {0u, 7u, 15u, 16u, 19u, 20u}) {
            const Digest leaf = leaf_hash(all[index]);
            const Proof proof = inclusion_proof(tree, index, head.size).value();
            each_bit(proof, [&](const Proof& changed) { REQUIRE_FALSE(verify_inclusion(leaf, index, changed, head)); });
            for (std::size_t cut = 0; cut < proof.size(); ++cut) {
                Proof shorter = proof, longer = proof;
                shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(cut));
                longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(cut), proof[cut]);
                CHECK_FALSE(verify_inclusion(leaf, index, shorter, head));
                CHECK_FALSE(verify_inclusion(leaf, index, longer, head));
            }
        }
        for (const std::uint64_t old : {1u, 4u, 7u, 16u, 20u}) {
            const TreeHead before = head_of(range_at(tree, old).value());
            const Proof proof = consistency_proof(tree, old, head.size).value();
            each_bit(proof, [&](const Proof& changed) { REQUIRE_FALSE(verify_consistency(before, head, changed)); });
            for (std::size_t cut = 0; cut < proof.size(); ++cut) {
                Proof shorter = proof, longer = proof;
                shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(cut));
                longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(cut), proof[cut]);
                CHECK_FALSE(verify_consistency(before, head, shorter));
                CHECK_FALSE(verify_consistency(before, head, longer));
            }
        }
    }

    TEST_CASE("the edges of the definitions") {
        const auto all = entries(3);
        Tree tree = tree_of(all);
        const TreeHead empty, head = head_of(tree.edge);
        CHECK(inclusion_proof(tree, 3, 3).error().code() == Code::usage);
        CHECK(consistency_proof(tree, 4, 3).error().code() == Code::usage);
        CHECK(inclusion_proof(tree, 2, 9).error().code() == Code::journal);  // the source's own
        CHECK(verify_consistency(empty, head, {}));
        CHECK(verify_consistency(empty, empty, {}));
        CHECK(verify_consistency(head, head, {}));
        CHECK_FALSE(verify_consistency(head, empty, {}));
        CHECK_FALSE(verify_consistency({0, head.root}, head, {}));
        CHECK_FALSE(verify_consistency(empty, head, {head.root}));
        CHECK_FALSE(verify_consistency(head, head, {head.root}));
        CHECK_FALSE(verify_consistency(empty, {0, head.root}, {}));
        CHECK_FALSE(verify_inclusion(head.root, 0, {}, empty));
        CHECK_FALSE(verify_inclusion(empty.root, 0, {}, empty));
        // A leaf and a node are never taken for one another.
        Tree one;
        one.add(all[0]);
        CHECK(leaf_hash(all[0]) == head_of(one.edge).root);
        const Proof pair = inclusion_proof(tree, 0, 2).value();
        CHECK(leaf_hash(std::string(as_text(tree.levels[0][0])) + std::string(as_text(pair[0]))) != tree.levels[1][0]);
    }

    TEST_CASE("a proof costs a logarithm of questions") {
        const auto all = entries(1000);
        Tree tree = tree_of(all);
        for (std::uint64_t i = 1; i < 1000; ++i) {
            tree.asked = 0;
            static_cast<void>(inclusion_proof(tree, i, 1000).value());
            REQUIRE(tree.asked <= 20);
            tree.asked = 0;
            static_cast<void>(consistency_proof(tree, i, 1000).value());
            REQUIRE(tree.asked <= 20);
        }
    }
}

}  // namespace tpf::audit::test
