#pragma once
// The Merkle tree of the audit log: hashing of RFC 6962 § 2.1, proofs of §§ 2.1.1 and 2.1.2, their verification by the
// algorithms of RFC 9162 §§ 2.1.3.2 and 2.1.4.2. Pure functions, thread-safe. Leaves are numbered from 0.
//
// A node is a perfect subtree: node (level, index) covers the leaves from index * 2^level on, 2^level of them; level 0
// are the leaf hashes. All that a tree of any size consists of are perfect subtrees, so a node once known never
// changes.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/audit_entry.h"
#include "base/result.h"
#include "base/sha256.h"

namespace tpf::audit {

using Proof = std::vector<Digest>;

/// SHA-256(0x00 || entry)
[[nodiscard]] Digest leaf_hash(std::string_view entry);
/// SHA-256(0x01 || left || right)
[[nodiscard]] Digest node_hash(const Digest& left, const Digest& right);

// --- the right edge ---
/// Adds a leaf. `completed` is set to the nodes of level 1 and up that this leaf completes, the lowest first: as many
/// as the old size ends in 1 bits.
void append(CompactRange& range, const Digest& leaf, std::vector<Digest>& completed);
void append(CompactRange& range, const Digest& leaf);
[[nodiscard]] Digest root_of(const CompactRange& range);
[[nodiscard]] TreeHead head_of(const CompactRange& range);

// --- from stored nodes ---
/// Where nodes are kept. Asked only for nodes that the tree in question has; each call below asks O(log size) times.
class NodeSource {
  public:
    virtual ~NodeSource() = default;
    [[nodiscard]] virtual Result<Digest> node(unsigned level, std::uint64_t index) = 0;
};
/// The errors of all three are the source's, and Code::usage for arguments that the tree does not allow.
[[nodiscard]] Result<CompactRange> range_at(NodeSource& nodes, std::uint64_t size);
/// That leaf `index` is in the tree of `size` leaves; index < size.
[[nodiscard]] Result<Proof> inclusion_proof(NodeSource& nodes, std::uint64_t index, std::uint64_t size);
/// That the tree of `size` leaves begins with that of `old_size`; old_size <= size. Empty where they are equal or
/// old_size is 0.
[[nodiscard]] Result<Proof> consistency_proof(NodeSource& nodes, std::uint64_t old_size, std::uint64_t size);

// --- by whoever has a proof and trusts a head ---
[[nodiscard]] bool verify_inclusion(const Digest& leaf, std::uint64_t index, const Proof& proof, const TreeHead& head);
/// From the empty tree the proof must be empty, and `old` the head of the empty tree.
[[nodiscard]] bool verify_consistency(const TreeHead& old, const TreeHead& now, const Proof& proof);

}  // namespace tpf::audit
