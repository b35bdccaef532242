#include "daemon/audit_proof.h"

#include <nlohmann/json.hpp>

#include "audit/text_form.h"
#include "base/encoding.h"

namespace tpf::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kForm = "tpf-bevis-1";

auto bad(const std::string& what) {
    return fail(Code::evidence, what);
}

Result<ProvedEntry> parse_proved(const Json& json) {
    ProvedEntry entry{json.at("entry").get<std::string>(), {}};
    for (const Json& hash : json.at("proof")) {
        const auto digest = audit::parse_digest(hash.get<std::string>());
        if (!digest) return bad("a hash of a proof has not its form");
        entry.proof.push_back(*digest);
    }
    return entry;
}

}  // namespace

std::string write_audit_proof(const AuditProof& proof) {
    Json entries = Json::array();
    for (const ProvedEntry& entry : proof.entries) {
        Json hashes = Json::array();
        for (const Digest& hash : entry.proof) hashes.push_back(base64(hash));
        entries.push_back({{"entry", entry.canonical}, {"proof", std::move(hashes)}});
    }
    const Json json{{"form", kForm},
                    {"message", proof.message.view()},
                    {"checkpoint", proof.checkpoint},
                    {"entries", std::move(entries)}};
    return json.dump() + "\n";
}

Result<AuditProof> parse_audit_proof(std::string_view text) try {
    const Json json = Json::parse(text);
    if (json.at("form").get<std::string>() != kForm) return bad("not a proof of the form tpf-bevis-1");
    const auto message = SpoolId::parse(json.at("message").get<std::string>());
    if (!message) return bad("the proof's message is no spool id");
    AuditProof proof{message.value(), json.at("checkpoint").get<std::string>(), {}};
    for (const Json& one : json.at("entries")) {
        TPF_TRY(ProvedEntry entry, parse_proved(one));
        proof.entries.push_back(std::move(entry));
    }
    if (write_audit_proof(proof) != text) return bad("the proof is not written in the one form");
    return proof;
} catch (const nlohmann::json::exception&) {
    return bad("not a proof of the form tpf-bevis-1");
}

Result<Proved> verify_audit_proof(const AuditProof& proof, const audit::LogKeys& log,
                                  std::span<const audit::NoteKey> witnesses, const audit::NoteVerifier& verifier) {
    Proved proved;
    TPF_TRY(proved.checkpoint, audit::open_note(proof.checkpoint, log, witnesses, verifier));
    if (proof.entries.empty()) return bad("the proof has no entries");
    std::uint64_t last = 0;
    for (const ProvedEntry& entry : proof.entries) {
        auto parts = audit::parse_entry(entry.canonical);
        if (!parts) return bad("entry after " + std::to_string(last) + ": " + parts.error().detail());
        const std::uint64_t seq = parts.value().seq;
        const std::string name = "entry " + std::to_string(seq);
        if (seq <= last) return bad(name + " is not in order");
        if (parts.value().message != proof.message) return bad(name + " is of another message");
        if (!audit::verify_inclusion(audit::leaf_hash(entry.canonical), seq - 1, entry.proof,
                                     proved.checkpoint.checkpoint.head))
            return bad(name + " is not in the log of the checkpoint");
        last = seq;
        proved.entries.push_back(std::move(parts).value());
    }
    return proved;
}

}  // namespace tpf::daemon
