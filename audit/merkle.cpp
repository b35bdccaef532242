#include "audit/merkle.h"

#include <algorithm>
#include <bit>
#include <string>

namespace tpf::audit {
namespace {

constexpr std::string_view kLeaf("\x00", 1);
constexpr std::string_view kNode("\x01", 1);

/// To make the object anew costs more than such a hash.
Sha256& hasher() {
    thread_local Sha256 kept;
    return kept;
}

/// The largest power of two that is smaller than `n`; n > 1.
std::uint64_t split_of(std::uint64_t n) {
    return std::bit_floor(n - 1);
}

/// The roots of the perfect subtrees that leaves [begin, end) are made of. `begin` is where a subtree of the RFC's
/// recursion begins, so that each of them is a node.
Result<std::vector<Digest>> nodes_of(NodeSource& nodes, std::uint64_t begin, std::uint64_t end) {
    std::vector<Digest> found;
    while (begin < end) {
        const auto level = static_cast<unsigned>(std::bit_width(end - begin) - 1);
        TPF_TRY(const Digest node, nodes.node(level, begin >> level));
        found.push_back(node);
        begin += std::uint64_t{1} << level;
    }
    return found;
}

/// The RFC's MTH(D[begin:end]) of the same.
Result<Digest> hash_of(NodeSource& nodes, std::uint64_t begin, std::uint64_t end) {
    TPF_TRY(auto peaks, nodes_of(nodes, begin, end));
    return root_of({end - begin, std::move(peaks)});
}

}  // namespace

Digest leaf_hash(std::string_view entry) {
    Sha256& hash = hasher();
    hash.update(kLeaf);
    hash.update(entry);
    return hash.finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
    Sha256& hash = hasher();
    hash.update(kNode);
    hash.update(left);
    hash.update(right);
    return hash.finish();
}

void append(CompactRange& range, const Digest& leaf, std::vector<Digest>& completed) {
    completed.clear();
    Digest node = leaf;
    for (std::uint64_t bits = range.size; (bits & 1) != 0; bits >>= 1) {
        node = node_hash(range.peaks.back(), node);
        range.peaks.pop_back();
        completed.push_back(node);
    }
    range.peaks.push_back(node);
    ++range.size;
}

void append(CompactRange& range, const Digest& leaf) {
    std::vector<Digest> completed;
    append(range, leaf, completed);
}

Digest root_of(const CompactRange& range) {
    if (range.peaks.empty()) return TreeHead().root;
    Digest root = range.peaks.back();
    for (auto peak = range.peaks.rbegin() + 1; peak != range.peaks.rend(); ++peak) root = node_hash(*peak, root);
    return root;
}

TreeHead head_of(const CompactRange& range) {
    return {range.size, root_of(range)};
}

Result<CompactRange> range_at(NodeSource& nodes, std::uint64_t size) {
    TPF_TRY(auto peaks, nodes_of(nodes, 0, size));
    return CompactRange{size, std::move(peaks)};
}

Result<Proof> inclusion_proof(NodeSource& nodes, std::uint64_t index, std::uint64_t size) {
    if (index >= size) return fail(Code::usage, "leaf " + std::to_string(index) + " is not in a tree of that size");
    Proof proof;
    for (std::uint64_t begin = 0, end = size; end - begin > 1;) {
        const std::uint64_t middle = begin + split_of(end - begin);
        const bool left = index < middle;
        TPF_TRY(const Digest sibling, left ? hash_of(nodes, middle, end) : hash_of(nodes, begin, middle));
        proof.push_back(sibling);
        (left ? end : begin) = middle;
    }
    std::reverse(proof.begin(), proof.end());
    return proof;
}

Result<Proof> consistency_proof(NodeSource& nodes, std::uint64_t old_size, std::uint64_t size) {
    if (old_size > size) return fail(Code::usage, "a tree does not begin with a larger one");
    Proof proof;
    if (old_size == 0 || old_size == size) return proof;
    std::uint64_t begin = 0, end = size;
    bool whole = true;  // what is left of the old tree is the old tree: its verifier has the root
    while (old_size != end) {
        const std::uint64_t middle = begin + split_of(end - begin);
        const bool left = old_size <= middle;
        TPF_TRY(const Digest sibling, left ? hash_of(nodes, middle, end) : hash_of(nodes, begin, middle));
        proof.push_back(sibling);
        (left ? end : begin) = middle;
        whole = whole && left;
    }
    if (!whole) {
        TPF_TRY(const Digest rest, hash_of(nodes, begin, end));
        proof.push_back(rest);
    }
    std::reverse(proof.begin(), proof.end());
    return proof;
}

bool verify_inclusion(const Digest& leaf, std::uint64_t index, const Proof& proof, const TreeHead& head) {
    if (index >= head.size) return false;
    std::uint64_t at = index, last = head.size - 1;
    Digest root = leaf;
    for (const Digest& sibling : proof) {
        if (last == 0) return false;
        if ((at & 1) != 0 || at == last) {
            root = node_hash(sibling, root);
            while (at != 0 && (at & 1) == 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(root, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && root == head.root;
}

bool verify_consistency(const TreeHead& old, const TreeHead& now, const Proof& proof) {
    if (old.size == 0) return proof.empty() && old == TreeHead() && (now.size != 0 || now == old);
    if (old.size == now.size) return proof.empty() && old == now;
    if (old.size > now.size || proof.empty()) return false;
    auto next = proof.begin();
    // A perfect tree's root is the first node: its verifier has it, the proof leaves it out.
    const Digest first = std::has_single_bit(old.size) ? old.root : *next++;
    Digest old_root = first, root = first;
    std::uint64_t at = old.size - 1, last = now.size - 1;
    const int shared = std::countr_one(at);
    at >>= shared;
    last >>= shared;
    for (; next != proof.end(); ++next) {
        if (last == 0) return false;
        if ((at & 1) != 0 || at == last) {
            old_root = node_hash(*next, old_root);
            root = node_hash(*next, root);
            while (at != 0 && (at & 1) == 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(root, *next);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && old_root == old.root && root == now.root;
}

}  // namespace tpf::audit
