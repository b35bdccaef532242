#include "audit/note.h"

#include <algorithm>
#include <cstdio>

#include "audit/text_form.h"
#include "base/sha256.h"

namespace tpf::audit {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // em dash, space
constexpr std::size_t kIdBytes = 4, kTimeBytes = 8, kSignatureBytes = 64;

Failure bad(const char* what) {
    return fail(Code::evidence, what);
}

void append_big_endian(Bytes& out, std::uint64_t number, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

std::uint64_t big_endian(ByteView bytes) {
    std::uint64_t number = 0;
    for (const std::uint8_t byte : bytes) number = number << 8 | byte;
    return number;
}

std::uint32_t key_id(std::string_view name, NoteType type, const Ed25519Key& key) {
    const auto type_byte = static_cast<std::uint8_t>(type);
    Sha256 hash;
    hash.update(name);
    hash.update("\n");
    hash.update(std::span(&type_byte, 1));
    hash.update(key);
    const Digest digest = hash.finish();
    return static_cast<std::uint32_t>(big_endian(ByteView(digest).first(kIdBytes)));
}

bool is_note_text(std::string_view text) {
    return text.ends_with('\n') && is_text(text, true);
}

Result<NoteSignature> parse_line(std::string_view line) {
    if (!line.starts_with(kDash)) return bad("a signature line of a note does not begin with a dash");
    line.remove_prefix(kDash.size());
    const std::size_t space = line.find(' ');
    if (space == line.npos || !is_key_name(line.substr(0, space))) return bad("a signature line without a key's name");
    const auto bytes = from_base64(line.substr(space + 1));
    if (!bytes || bytes.value().size() <= kIdBytes) return bad("a signature line without a signature");
    const ByteView all = bytes.value();
    const ByteView signature = all.subspan(kIdBytes);
    return NoteSignature{std::string(line.substr(0, space)),
                         static_cast<std::uint32_t>(big_endian(all.first(kIdBytes))),
                         Bytes(signature.begin(), signature.end())};
}

std::string cosigned_message(std::string_view checkpoint, std::uint64_t time) {
    return "cosignature/v1\ntime " + std::to_string(time) + "\n" + std::string(checkpoint);
}

Ed25519Signature fixed(ByteView bytes) {
    Ed25519Signature signature{};
    std::copy(bytes.begin(), bytes.end(), signature.begin());
    return signature;
}

/// Does it verify? The time where the type has one.
Result<VerifiedSignature> verified(const std::string& text, const NoteSignature& line, const NoteKey& key,
                                   const NoteVerifier& verifier) {
    const ByteView bytes = line.bytes;
    VerifiedSignature good{key, std::nullopt};
    if (key.type() == NoteType::ed25519) {
        if (bytes.size() == kSignatureBytes && verifier.verify(key.key(), text, fixed(bytes))) return good;
        return bad("the signature of a known key does not verify");
    }
    if (bytes.size() != kTimeBytes + kSignatureBytes) return bad("a cosignature has not its length");
    TPF_TRY(const Checkpoint checkpoint, Checkpoint::parse(text));
    const std::uint64_t time = big_endian(bytes.first(kTimeBytes));
    if (time >> 63 != 0) return bad("a cosignature's time is out of range");
    if (!verifier.verify(key.key(), cosigned_message(text, time), fixed(bytes.subspan(kTimeBytes))))
        return bad("the cosignature of a known key does not verify");
    good.time = UtcTime(std::chrono::seconds(static_cast<std::int64_t>(time)));
    return good;
}

}  // namespace

NoteKey::NoteKey(std::string name, NoteType type, const Ed25519Key& key)
    : name_(std::move(name)), type_(type), key_(key), id_(key_id(name_, type, key)) {}

Result<NoteKey> NoteKey::create(std::string name, NoteType type, const Ed25519Key& key) {
    if (!is_key_name(name)) return bad("not a name of a note's key");
    return NoteKey(std::move(name), type, key);
}

Result<NoteKey> NoteKey::parse(std::string_view vkey) {
    const std::size_t first = vkey.find('+');
    const std::size_t second = first == vkey.npos ? vkey.npos : vkey.find('+', first + 1);
    if (second == vkey.npos) return bad("not a note's key: it has three parts with + between them");
    const auto bytes = from_base64(vkey.substr(second + 1));
    Ed25519Key key{};
    if (!bytes || bytes.value().size() != 1 + key.size()) return bad("not a note's key: type and key of 32 bytes");
    const auto type = static_cast<NoteType>(bytes.value().front());
    if (type != NoteType::ed25519 && type != NoteType::cosignature) return bad("a note's key of a type not known here");
    std::copy(bytes.value().begin() + 1, bytes.value().end(), key.begin());
    TPF_TRY(NoteKey made, create(std::string(vkey.substr(0, first)), type, key));
    if (made.str() != vkey) return bad("not a note's key: the key id is another one");
    return made;
}

std::string NoteKey::str() const {
    char id[9] = {};
    std::snprintf(id, sizeof id, "%08x", id_);
    Bytes key{static_cast<std::uint8_t>(type_)};
    key.insert(key.end(), key_.begin(), key_.end());
    return name_ + "+" + id + "+" + base64(key);
}

Result<SignedNote> SignedNote::parse(std::string_view note) {
    if (note.size() > kMostBytes) return bad("a note larger than any");
    const std::size_t blank = note.rfind("\n\n");
    if (blank == note.npos || !is_note_text(note)) return bad("not a signed note");
    SignedNote parsed{std::string(note.substr(0, blank + 1)), {}};
    for (std::string_view lines = note.substr(blank + 2); !lines.empty();) {
        if (parsed.signatures.size() == kMostSignatures) return bad("a note with too many signatures");
        const std::size_t lf = lines.find('\n');
        TPF_TRY(NoteSignature signature, parse_line(lines.substr(0, lf)));
        parsed.signatures.push_back(std::move(signature));
        lines.remove_prefix(lf + 1);
    }
    if (parsed.signatures.empty()) return bad("a note without signatures");
    return parsed;
}

Result<std::string> SignedNote::str() const {
    if (!is_note_text(text) || signatures.empty() || signatures.size() > kMostSignatures) return bad("not a note");
    std::string note = text + "\n";
    for (const NoteSignature& signature : signatures) {
        if (!is_key_name(signature.name) || signature.bytes.empty()) return bad("not a note's signature");
        Bytes bytes;
        append_big_endian(bytes, signature.key_id, kIdBytes);
        bytes.insert(bytes.end(), signature.bytes.begin(), signature.bytes.end());
        note.append(kDash).append(signature.name).append(" ").append(base64(bytes)).append("\n");
    }
    if (note.size() > kMostBytes) return bad("a note larger than any");
    return note;
}

Result<std::vector<VerifiedSignature>> verify_note(const SignedNote& note, std::span<const NoteKey> known,
                                                   const NoteVerifier& verifier) {
    std::vector<VerifiedSignature> good;
    for (const NoteSignature& line : note.signatures) {
        const auto is_this = [&line](const NoteKey& key) { return key.name() == line.name && key.id() == line.key_id; };
        const auto key = std::find_if(known.begin(), known.end(), is_this);
        if (key == known.end()) continue;
        if (std::find_if(key + 1, known.end(), is_this) != known.end())
            return fail(Code::usage, "two keys with the same name and id: " + key->name());
        TPF_TRY(VerifiedSignature one, verified(note.text, line, *key, verifier));
        good.push_back(std::move(one));
    }
    if (good.empty()) return bad("a note without a signature of a known key");
    return good;
}

Result<NoteSignature> sign_note(std::string_view text, std::string_view name, const NoteSigner& signer) {
    if (!is_note_text(text)) return bad("not a note's text");
    TPF_TRY(const NoteKey key, NoteKey::create(std::string(name), NoteType::ed25519, signer.public_key()));
    const Ed25519Signature signature = signer.sign(text);
    return NoteSignature{key.name(), key.id(), Bytes(signature.begin(), signature.end())};
}

Result<NoteSignature> cosign(std::string_view checkpoint, std::string_view name, const NoteSigner& signer,
                             UtcTime time) {
    TPF_TRY(const Checkpoint parsed, Checkpoint::parse(checkpoint));
    TPF_TRY(const NoteKey key, NoteKey::create(std::string(name), NoteType::cosignature, signer.public_key()));
    const std::int64_t seconds = time.time_since_epoch().count();
    if (seconds < 0) return bad("a cosignature's time is out of range");
    NoteSignature line{key.name(), key.id(), {}};
    append_big_endian(line.bytes, static_cast<std::uint64_t>(seconds), kTimeBytes);
    const auto signature = signer.sign(cosigned_message(checkpoint, static_cast<std::uint64_t>(seconds)));
    line.bytes.insert(line.bytes.end(), signature.begin(), signature.end());
    return line;
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
    if (!is_note_text(text)) return bad("not a checkpoint's text");
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t lf = text.find('\n');
        if (lf == 0) return bad("a checkpoint with an empty line");
        lines.push_back(text.substr(0, lf));
        text.remove_prefix(lf + 1);
    }
    if (lines.size() < 3) return bad("a checkpoint has three lines");
    const auto size = parse_decimal(lines[1]);
    const auto root = parse_digest(lines[2]);
    if (!size || !root) return bad("a checkpoint's size or root has not its form");
    return Checkpoint{std::string(lines[0]), {*size, *root}, {lines.begin() + 3, lines.end()}};
}

Result<std::string> Checkpoint::str() const {
    const auto is_line = [](const std::string& line) { return !line.empty() && is_text(line, false); };
    if (!is_line(origin) || !std::all_of(extensions.begin(), extensions.end(), is_line) || head.size >> 63 != 0)
        return bad("not a checkpoint");
    std::string text = origin + "\n" + std::to_string(head.size) + "\n" + base64(head.root) + "\n";
    for (const std::string& line : extensions) text += line + "\n";
    return text;
}

}  // namespace tpf::audit
