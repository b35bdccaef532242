#include "register/log_witness.h"

#include <algorithm>
#include <sstream>

#include "audit/note_keys.h"
#include "audit/text_form.h"
#include "base/encoding.h"
#include "base/log.h"

namespace tpf::reg {
namespace {

using audit::WitnessVerdict;
using Verifier = audit::VerifierWith<crypto::VerifyKey>;

constexpr const char* kFolder = "sjekkpunkt";
constexpr const char* kNote = "siste.note";
constexpr const char* kKnown = "kjent.txt";
constexpr std::size_t kMostKnown = 64;
constexpr std::size_t kMaxHeader = 8192;
constexpr std::size_t kMaxFile = 64 * 1024;

std::vector<audit::Ed25519Key> raw_keys(const std::vector<crypto::VerifyKey>& keys) {
    std::vector<audit::Ed25519Key> raw;
    raw.reserve(keys.size());
    for (const auto& key : keys) raw.push_back(key.raw());
    return raw;
}

/// A note and what comes with it, from the two fields.
Result<audit::Offer> offer_of(std::string_view checkpoint, std::string_view consistency) {
    if (checkpoint.size() > kMaxHeader || consistency.size() > kMaxHeader)
        return fail(Code::evidence, "a field that is too long");
    TPF_TRY(const Bytes note, from_base64(checkpoint));
    audit::Offer offer{std::string(as_text(note)), 0, {}};
    if (consistency.empty()) return offer;
    const std::size_t space = std::min(consistency.find(' '), consistency.size());
    const auto size = audit::parse_decimal(consistency.substr(0, space));
    if (!size) return fail(Code::evidence, "TPF-Consistency without a size");
    offer.old_size = *size;
    TPF_TRY(offer.proof, audit::parse_proof(consistency.substr(std::min(space + 1, consistency.size()))));
    return offer;
}

std::vector<TreeHead> parse_known(const std::string& text) {
    std::vector<TreeHead> known;
    std::istringstream lines(text);
    for (std::string size, root; lines >> size >> root;) {
        const auto number = audit::parse_decimal(size);
        const auto digest = audit::parse_digest(root);
        if (number && digest) known.push_back({*number, *digest});
    }
    return known;
}

std::string known_text(const std::vector<TreeHead>& known) {
    std::string text;
    for (const TreeHead& head : known) text += std::to_string(head.size) + " " + base64(head.root) + "\n";
    return text;
}

auto damaged(const Path& folder) {
    return fail(Code::record_damaged, (folder / kNote).string() + " is not a checkpoint that was cosigned here",
                "docs/register.md, \"The audit log's checkpoints\"");
}

Status make_folder_once(FileSystem& fs, const Path& path) {
    if (!fs.info(path)) {
        TPF_TRY(fs.make_folder(path, 0700));
    }
    return fs.sync_folder(path.parent_path());
}

}  // namespace

LogWitness::LogWitness(FileSystem& fs, Path folder, LogWitnessSettings settings, const Clock& clock)
    : fs_(fs), folder_(std::move(folder)), settings_(std::move(settings)), clock_(clock) {
    auto key =
        audit::NoteKey::create(settings_.reg.str(), audit::NoteType::cosignature, settings_.key.verify_key().raw());
    if (key) own_key_.push_back(std::move(key).value());
}

Result<std::unique_ptr<LogWitness>> LogWitness::open(FileSystem& fs, const Path& store, LogWitnessSettings settings,
                                                     const Clock& clock) {
    std::unique_ptr<LogWitness> witness(new LogWitness(fs, store / kFolder, std::move(settings), clock));
    TPF_TRY(make_folder_once(fs, witness->folder_));
    TPF_TRY(witness->load());
    return witness;
}

Status LogWitness::load() {
    TPF_TRY(const auto names, fs_.list(folder_));
    for (const std::string& name : names) {
        const auto note = fs_.info(folder_ / name / kNote);
        // A crash before the first checkpoint of a log was there.
        if (!note && note.error().code() == Code::not_found) continue;
        TPF_TRY(load_one(folder_ / name));
    }
    return ok();
}

/// A note that another receipt key cosigned is cosigned again, when a core key that is still taken signed it.
Status LogWitness::load_one(const Path& folder) {
    TPF_TRY(std::string note, read_small(fs_, folder / kNote, kMaxFile));
    const auto parsed = audit::SignedNote::parse(note);
    const auto checkpoint =
        parsed ? audit::Checkpoint::parse(parsed.value().text) : Result<audit::Checkpoint>(fail(parsed.error()));
    const bool cosigned_here = parsed && audit::verify_note(parsed.value(), own_key_, Verifier()).has_value();
    if (!cosigned_here) {
        const auto opened = audit::open_note(note, {"", raw_keys(settings_.core_keys)}, {}, Verifier());
        if (!opened) return damaged(folder);
        TPF_TRY(note, cosigned(opened.value().note));
        TPF_TRY(write_atomically(fs_, folder / kNote, note, 0600));
        log::warning("the newest checkpoint was cosigned by another receipt key: cosigned again by this one",
                     {{"origin", opened.value().checkpoint.origin}});
    }
    if (!checkpoint || folder != folder_of(checkpoint.value().origin)) return damaged(folder);
    Log& log = logs_[checkpoint.value().origin];
    log.memory.newest = checkpoint.value().head;
    log.note = note;
    const auto known = read_small(fs_, folder / kKnown, kMaxFile);
    if (!known && known.error().code() != Code::not_found) return fail(known.error());
    if (known) log.memory.earlier = parse_known(known.value());
    std::erase_if(log.memory.earlier, [&](const TreeHead& head) { return head.size >= log.memory.newest.size; });
    return ok();
}

/// With this register's line after the log's.
Result<std::string> LogWitness::cosigned(const std::string& text) const {
    TPF_TRY(audit::SignedNote note, audit::SignedNote::parse(text));
    const audit::SignerWith<crypto::SigningKey> signer(settings_.key);
    TPF_TRY(auto line, audit::cosign(note.text, settings_.reg.str(), signer, clock_.utc()));
    note.signatures.push_back(std::move(line));
    return note.str();
}

Path LogWitness::folder_of(const std::string& origin) const {
    return folder_ / hex(sha256(origin)).substr(0, 32);
}

bool LogWitness::takes(const std::string& origin) const {
    const auto& origins = settings_.origins;
    if (!origins.empty()) return std::find(origins.begin(), origins.end(), origin) != origins.end();
    return logs_.empty() || logs_.contains(origin);
}

LogWitness::Verdict LogWitness::refuse(const char* kode, const std::string& origin) const {
    std::vector<const Log*> shown;
    for (const auto& [name, log] : logs_) {
        if (origin.empty() ? takes(name) : name == origin) shown.push_back(&log);
    }
    return {kode, shown.size() == 1 ? base64(as_bytes(shown.front()->note)) : std::string()};
}

Result<LogWitness::Verdict> LogWitness::judge(std::string_view checkpoint, std::string_view consistency) {
    const std::lock_guard lock(mutex_);
    if (checkpoint.empty()) {
        if (logs_.empty() && settings_.origins.empty()) return Verdict{};
        log::error("ALARM: a message without a checkpoint of the audit log");
        return refuse("sjekkpunkt-mangler", {});
    }
    const auto offer = offer_of(checkpoint, consistency);
    const auto opened = offer
                            ? audit::open_note(offer.value().note, {"", raw_keys(settings_.core_keys)}, {}, Verifier())
                            : Result<audit::OpenedNote>(fail(offer.error()));
    if (!opened) {
        log::error("ALARM: a checkpoint that no core key signed", {{"error", opened.error().text()}});
        return refuse("sjekkpunkt-ugyldig", {});
    }
    const audit::Checkpoint& head = opened.value().checkpoint;
    if (!takes(head.origin)) {
        log::error("ALARM: a checkpoint of another audit log", {{"origin", head.origin}, {"entries", head.head.size}});
        return refuse("sjekkpunkt-opphav", {});
    }
    const auto found = logs_.find(head.origin);
    const audit::WitnessMemory nothing;
    const auto& memory = found == logs_.end() ? nothing : found->second.memory;
    switch (audit::judge(memory, head.head, offer.value().old_size, offer.value().proof)) {
        case WitnessVerdict::known:
            break;
        case WitnessVerdict::fresh: {
            TPF_TRY(cosign(opened.value()));
            break;
        }
        case WitnessVerdict::stale:
            log::warning("a checkpoint with a proof from another size", {{"origin", head.origin},
                                                                         {"entries", head.head.size},
                                                                         {"from", offer.value().old_size},
                                                                         {"kept", memory.newest.size}});
            return refuse(found == logs_.end() ? "sjekkpunkt-ny" : "sjekkpunkt-eldre", head.origin);
        case WitnessVerdict::contradiction:
            log::error("ALARM: the audit log contradicts what was cosigned",
                       {{"origin", head.origin},
                        {"entries", head.head.size},
                        {"root", base64(head.head.root)},
                        {"kept", memory.newest.size},
                        {"kept_root", base64(memory.newest.root)}});
            return refuse("sjekkpunkt-strid", head.origin);
    }
    return Verdict{{}, base64(as_bytes(logs_.at(head.origin).note))};
}

Status LogWitness::cosign(const audit::OpenedNote& opened) {
    const audit::Checkpoint& checkpoint = opened.checkpoint;
    TPF_TRY(const std::string text, cosigned(opened.note));
    const auto found = logs_.find(checkpoint.origin);
    audit::WitnessMemory next = found == logs_.end() ? audit::WitnessMemory() : found->second.memory;
    if (next.newest.size != 0) next.earlier.insert(next.earlier.begin(), next.newest);
    if (next.earlier.size() > kMostKnown) next.earlier.resize(kMostKnown);
    next.newest = checkpoint.head;
    std::vector<TreeHead> all = next.earlier;
    all.insert(all.begin(), next.newest);

    const Path folder = folder_of(checkpoint.origin);
    if (found == logs_.end()) {
        log::warning("a new audit log is witnessed from now on", {{"origin", checkpoint.origin}});
        TPF_TRY(make_folder_once(fs_, folder));
    }
    TPF_TRY(write_atomically(fs_, folder / kKnown, known_text(all), 0600));
    TPF_TRY(write_atomically(fs_, folder / kNote, text, 0600));
    logs_[checkpoint.origin] = {std::move(next), text};
    return ok();
}

}  // namespace tpf::reg
