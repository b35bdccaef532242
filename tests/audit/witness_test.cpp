#include "audit/witness.h"

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "tests/audit/ed25519.h"

namespace tpf::audit::test {
namespace {

using Verdict = WitnessVerdict;

template <class T>
T get(Result<T> result) {
    if (!result) FAIL(result.error().text());
    return std::move(result).value();
}

/// A log of entries "0", "1", … and one that differs from entry `fork` on.
struct Tree final : NodeSource {
    explicit Tree(std::uint64_t count, std::uint64_t fork = UINT64_MAX) {
        CompactRange range;
        heads.push_back(head_of(range));
        for (std::uint64_t i = 0; i < count; ++i) {
            std::vector<Digest> completed;
            leaves.push_back(leaf_hash((i < fork ? "" : "x") + std::to_string(i)));
            append(range, leaves.back(), completed);
            heads.push_back(head_of(range));
        }
    }
    Result<Digest> node(unsigned level, std::uint64_t index) override {
        if (level == 0) return leaves.at(index);
        TPF_TRY(const Digest left, node(level - 1, 2 * index));
        TPF_TRY(const Digest right, node(level - 1, 2 * index + 1));
        return node_hash(left, right);
    }
    Proof proof(std::uint64_t from, std::uint64_t to) { return get(consistency_proof(*this, from, to)); }
    std::vector<Digest> leaves;
    std::vector<TreeHead> heads;
};

const TestSigner& log_key() {
    static const TestSigner key(Ed25519Key{1});
    return key;
}
const TestSigner& witness_key() {
    static const TestSigner key(Ed25519Key{2});
    return key;
}

std::string note_of(const TreeHead& head, bool cosigned = false, const std::string& origin = "unit/tpf/1") {
    SignedNote note{get(Checkpoint{origin, head}.str()), {}};
    note.signatures.push_back(get(sign_note(note.text, origin, log_key())));
    if (cosigned)
        note.signatures.push_back(get(cosign(note.text, "IPLOS", witness_key(), UtcTime(std::chrono::seconds(5)))));
    return get(note.str());
}
std::vector<NoteKey> witnesses() {
    return {get(NoteKey::create("IPLOS", NoteType::cosignature, witness_key().public_key()))};
}

}  // namespace

TEST_SUITE("audit/witness") {
    TEST_CASE("what follows is cosigned, what does not is not") {
        Tree log(20);
        Tree fork(20, 9);
        const WitnessMemory memory{log.heads[10], {log.heads[7], log.heads[3]}};
        CHECK(judge({}, log.heads[5], 0, {}) == Verdict::fresh);
        CHECK(judge(memory, log.heads[16], 10, log.proof(10, 16)) == Verdict::fresh);
        CHECK(judge(memory, log.heads[10], 3, log.proof(3, 10)) == Verdict::known);
        CHECK(judge(memory, log.heads[7], 0, {}) == Verdict::known);
        // Somebody else's tree of the same size, of an earlier size, of a later one.
        CHECK(judge(memory, fork.heads[10], 3, log.proof(3, 10)) == Verdict::contradiction);
        CHECK(judge({log.heads[12], {log.heads[10]}}, fork.heads[10], 0, {}) == Verdict::contradiction);
        CHECK(judge(memory, fork.heads[16], 10, fork.proof(10, 16)) == Verdict::contradiction);
        CHECK(judge(memory, log.heads[16], 10, {}) == Verdict::contradiction);
    }

    TEST_CASE("a proof from another size asks for one from the newest") {
        Tree log(20);
        const WitnessMemory memory{log.heads[10], {log.heads[7]}};
        CHECK(judge(memory, log.heads[16], 7, log.proof(7, 16)) == Verdict::stale);
        CHECK(judge(memory, log.heads[16], 12, log.proof(12, 16)) == Verdict::stale);
        CHECK(judge(memory, log.heads[8], 7, log.proof(7, 8)) == Verdict::stale);
        CHECK(judge({}, log.heads[8], 7, log.proof(7, 8)) == Verdict::stale);
    }

    TEST_CASE("a fork is never cosigned, whatever is offered in which order") {
        Tree log(24);
        Tree fork(24, 11);
        WitnessMemory memory;
        for (std::size_t size = 1; size <= 24; ++size) {
            for (Tree* tree : {&log, &fork}) {
                for (std::uint64_t from = 0; from <= size; ++from) {
                    const TreeHead& head = tree->heads[size];
                    if (judge(memory, head, from, tree->proof(from, size)) != Verdict::fresh) continue;
                    memory.earlier.push_back(memory.newest);
                    memory.newest = head;
                    CHECK(head == log.heads[size]);
                }
            }
        }
        CHECK(memory.newest == log.heads[24]);
    }

    TEST_CASE("a request to an offline witness, there and back") {
        Tree log(20);
        for (const auto& [from, to] : {std::pair(0, 20), std::pair(7, 20), std::pair(16, 20), std::pair(20, 20)}) {
            const auto proof = log.proof(static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to));
            const Offer offer{note_of(log.heads[static_cast<std::size_t>(to)]), static_cast<std::uint64_t>(from),
                              proof};
            const Offer again = get(parse_offer(offer_text(offer)));
            CHECK(again.note == offer.note);
            CHECK(again.old_size == offer.old_size);
            CHECK(again.proof == offer.proof);
            CHECK(get(parse_proof(proof_text(offer.proof))) == offer.proof);
        }
        for (const char* text : {"", "old 5", "old \n\nx", "old 05\n\nx", "new 5\n\nx", "old 5\nAAAA\n\nx"})
            CHECK_FALSE(parse_offer(text).has_value());
        CHECK_FALSE(parse_proof("AAAA").has_value());
        CHECK_FALSE(parse_proof(proof_text(Proof(65))).has_value());
        CHECK(get(parse_proof(proof_text(Proof(64)))).size() == 64);
    }

    TEST_CASE("a note is opened with the log's key, and with a witness's where one is asked for") {
        Tree log(5);
        const TestVerifier verifier;
        const LogKeys keys{"unit/tpf/1", {log_key().public_key(), log_key().public_key()}};
        const OpenedNote plain = get(open_note(note_of(log.heads[5]), keys, {}, verifier));
        CHECK(plain.checkpoint.head == log.heads[5]);
        CHECK(plain.witness.empty());
        const std::string cosigned = note_of(log.heads[5], true);
        const OpenedNote both = get(open_note(cosigned, keys, witnesses(), verifier));
        CHECK(both.witness == "IPLOS");
        CHECK(both.cosigned_at == UtcTime(std::chrono::seconds(5)));
        CHECK(both.note == cosigned);
        // Lines that nobody asked for are not carried on.
        CHECK(get(open_note(cosigned, keys, {}, verifier)).note == plain.note);

        CHECK_FALSE(open_note(note_of(log.heads[5]), keys, witnesses(), verifier).has_value());
        CHECK_FALSE(open_note(note_of(log.heads[5], false, "unit/tpf/2"), keys, {}, verifier).has_value());
        CHECK(open_note(note_of(log.heads[5], false, "unit/tpf/2"), {"", keys.keys}, {}, verifier).has_value());
        CHECK_FALSE(open_note(cosigned, {"unit/tpf/1", {Ed25519Key{9}}}, {}, verifier).has_value());
        std::string changed = cosigned;
        changed.replace(changed.find("\n5\n"), 3, "\n6\n");
        CHECK_FALSE(open_note(changed, keys, witnesses(), verifier).has_value());
    }
}

}  // namespace tpf::audit::test
