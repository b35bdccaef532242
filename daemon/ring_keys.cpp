#include "daemon/ring_keys.h"

#include "base/log.h"

namespace tpf::daemon {

Result<crypto::KeyRing::MessageKey> RingKeys::message_key(const KeyId& id) const {
    // An installation without any message key is not set up yet: that is not the message's fault.
    if (!ring_.has_message_key()) return fail(Code::no_key, "the key ring has no message key");
    return ring_.message_key(id);
}

Result<pseudonym::RegisterSetup> RingKeys::register_setup(const RegisterName& reg) const {
    const auto found = settings_.registers.find(reg);
    if (found == settings_.registers.end()) return fail(Code::unknown_register);
    const conf::RegisterOutput& output = found->second;
    const auto takes = [&](conf::NumberKind kind) { return output.kinds.contains(kind); };
    pseudonym::RegisterSetup setup;
    setup.rules.fodselsnummer = takes(conf::NumberKind::fodselsnummer);
    setup.rules.d_nummer = takes(conf::NumberKind::d_nummer);
    setup.rules.h_nummer = takes(conf::NumberKind::h_nummer);
    setup.rules.fh_nummer = takes(conf::NumberKind::fh_nummer);
    setup.rules.duf_nummer = takes(conf::NumberKind::duf_nummer);
    setup.rules.npid = takes(conf::NumberKind::npid);
    setup.rules.rule_2032 = output.rules.contains(conf::ControlRule::relaxed_2032);
    setup.rules.installation = settings_.installation;
    setup.quarantine_invalid = output.on_invalid == conf::OnInvalid::quarantine;
    for (const unsigned version : output.pseudonym_versions) {
        TPF_TRY(auto mac, ring_.pseudonym_mac(reg, version));
        setup.derivers.emplace_back(std::move(mac), version, reg.str());
    }
    setup.keys = ring_.register_keys(reg);
    if (setup.keys.empty()) return fail(Code::no_key, "the key ring has no public key of register " + reg.str());
    return setup;
}

Status note_failure(crypto::KeyRing& ring, queue::Journal& journal, const PassRun& run, AuditEntry entry) {
    if (run.report || run.report.error().code() != Code::decryption || !run.key_id) return ok();
    TPF_TRY(const bool suspended, ring.note_failure(*run.key_id, [&](const crypto::KeyFacts& facts) {
        entry.with("action", "suspended").with("id", facts.id.str()).with("failures", facts.failures);
        return journal.record(entry);
    }));
    if (suspended) {
        log::error("a legacy key is suspended: too many messages did not open",
                   {{"key", run.key_id->str()}, {"hint", "who sent them? then `tpfctl keys resume`"}});
    }
    return ok();
}

pseudonym::PassLimits pass_limits(const conf::MessageLimits& limits) {
    pseudonym::PassLimits out;
    out.xml.depth = limits.depth;
    out.xml.name_bytes = limits.name_bytes;
    out.xml.attributes = limits.attributes;
    out.xml.tag_bytes = limits.tag_bytes;
    out.leaf_bytes = limits.leaf_bytes;
    out.persons = limits.persons;
    out.message_bytes = limits.message_bytes;
    out.gcm_bytes = limits.gcm_bytes;
    return out;
}

}  // namespace tpf::daemon
