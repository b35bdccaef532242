#include "audit/witness.h"

#include <algorithm>

#include "audit/text_form.h"
#include "base/encoding.h"

namespace tpf::audit {
namespace {

auto bad(const char* what) {
    return fail(Code::evidence, what);
}

/// The lines of the keys in `known`, one each.
std::vector<NoteSignature> lines_of(const SignedNote& note, std::span<const VerifiedSignature> good) {
    std::vector<NoteSignature> lines;
    for (const VerifiedSignature& one : good) {
        const auto line = std::find_if(note.signatures.begin(), note.signatures.end(), [&](const auto& each) {
            return each.name == one.key.name() && each.key_id == one.key.id();
        });
        lines.push_back(*line);
    }
    return lines;
}

Result<std::vector<NoteKey>> note_keys(const std::string& origin, const std::vector<Ed25519Key>& keys) {
    std::vector<NoteKey> all;
    for (const Ed25519Key& key : keys) {
        TPF_TRY(NoteKey made, NoteKey::create(origin, NoteType::ed25519, key));
        if (std::find(all.begin(), all.end(), made) == all.end()) all.push_back(std::move(made));
    }
    return all;
}

}  // namespace

std::string proof_text(const Proof& proof) {
    Bytes all;
    for (const Digest& hash : proof) all.insert(all.end(), hash.begin(), hash.end());
    return base64(all);
}

Result<Proof> parse_proof(std::string_view text) {
    const auto all = from_base64(text);
    constexpr std::size_t kHash = std::tuple_size_v<Digest>;
    if (!all || all.value().size() % kHash != 0 || all.value().size() > kHash * kMostProof)
        return bad("a consistency proof has not its form");
    Proof proof(all.value().size() / kHash);
    for (std::size_t i = 0; i < proof.size(); ++i)
        std::copy_n(all.value().begin() + static_cast<std::ptrdiff_t>(i * kHash), kHash, proof[i].begin());
    return proof;
}

std::string offer_text(const Offer& offer) {
    std::string text = "old " + std::to_string(offer.old_size) + "\n";
    for (const Digest& hash : offer.proof) text += base64(hash) + "\n";
    return text + "\n" + offer.note;
}

Result<Offer> parse_offer(std::string_view text) {
    const std::size_t end = text.find("\n\n");
    if (end == text.npos || !text.starts_with("old ")) return bad("not a request to a witness");
    std::string_view head = text.substr(0, end);
    Offer offer{std::string(text.substr(end + 2)), 0, {}};
    const std::size_t first = std::min(head.find('\n'), head.size());
    const auto size = parse_decimal(head.substr(4, first - 4));
    if (!size) return bad("a request to a witness without the old size");
    offer.old_size = *size;
    for (head.remove_prefix(std::min(first + 1, head.size())); !head.empty();) {
        const std::size_t lf = std::min(head.find('\n'), head.size());
        const auto hash = parse_digest(head.substr(0, lf));
        if (!hash || offer.proof.size() == kMostProof)
            return bad("a request to a witness with a proof of another form");
        offer.proof.push_back(*hash);
        head.remove_prefix(std::min(lf + 1, head.size()));
    }
    return offer;
}

WitnessVerdict judge(const WitnessMemory& memory, const TreeHead& head, std::uint64_t old_size, const Proof& proof) {
    const auto same_size = [&head](const TreeHead& other) { return other.size == head.size; };
    const auto earlier = std::find_if(memory.earlier.begin(), memory.earlier.end(), same_size);
    const TreeHead* kept = same_size(memory.newest) ? &memory.newest : nullptr;
    if (kept == nullptr && earlier != memory.earlier.end()) kept = &*earlier;
    if (kept != nullptr) return *kept == head ? WitnessVerdict::known : WitnessVerdict::contradiction;
    if (head.size < memory.newest.size || old_size != memory.newest.size) return WitnessVerdict::stale;
    return verify_consistency(memory.newest, head, proof) ? WitnessVerdict::fresh : WitnessVerdict::contradiction;
}

Result<OpenedNote> open_note(std::string_view text, const LogKeys& log, std::span<const NoteKey> witnesses,
                             const NoteVerifier& verifier) {
    TPF_TRY(SignedNote note, SignedNote::parse(text));
    TPF_TRY(Checkpoint checkpoint, Checkpoint::parse(note.text));
    if (!log.origin.empty() && checkpoint.origin != log.origin)
        return bad("the checkpoint is of another log: its origin is another one");
    TPF_TRY(const auto own, note_keys(checkpoint.origin, log.keys));
    TPF_TRY(const auto signed_by, verify_note(note, own, verifier));
    OpenedNote opened{std::move(checkpoint), {}, {}, {}};
    auto lines = lines_of(note, signed_by);
    if (!witnesses.empty()) {
        TPF_TRY(const auto cosigned, verify_note(note, witnesses, verifier));
        opened.witness = cosigned.front().key.name();
        opened.cosigned_at = cosigned.front().time;
        for (NoteSignature& line : lines_of(note, cosigned)) lines.push_back(std::move(line));
    }
    note.signatures = std::move(lines);
    TPF_TRY(opened.note, note.str());
    return opened;
}

}  // namespace tpf::audit
