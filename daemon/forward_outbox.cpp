#include "daemon/forward_outbox.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/encoding.h"

namespace tpf::daemon {
namespace {

constexpr const char* kStatusFile = "status.json";

std::optional<std::string> present(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

queue::SvarRecord svar_of(const SpoolId& id, const forward::Receipt& receipt) {
    queue::SvarRecord svar{.id = id, .answered = receipt.time};
    if (receipt.kind == forward::Receipt::Kind::local) {
        svar.trouble = receipt.code;
        return svar;
    }
    svar.http_status = static_cast<unsigned>(receipt.http_status);
    svar.status = present(receipt.fields.status);
    svar.kvittering = present(receipt.fields.kvittering);
    svar.kode = present(receipt.fields.kode);
    svar.navn = present(receipt.fields.navn);
    svar.sha256 = present(receipt.fields.sha256);
    svar.mottatt = present(receipt.fields.mottatt);
    svar.signature = present(receipt.fields.signatur);
    svar.sjekkpunkt = present(receipt.fields.sjekkpunkt);
    return svar;
}

}  // namespace

Result<std::vector<SpoolId>> SpoolOutbox::to_send() {
    TPF_TRY(auto listing, spool_->to_send());
    return std::move(listing.ids);
}

Result<bool> SpoolOutbox::is_present(const SpoolId& id) {
    const auto entry = fs_->info(spool_->folders().outbox / id.view());
    if (entry) return true;
    if (entry.error().code() == Code::not_found) return false;
    return fail(entry.error());
}

Result<forward::Record> SpoolOutbox::record(const SpoolId& id) {
    const auto found = spool_->read_post(id);
    if (!found && found.error().code() == Code::not_found) {
        TPF_TRY(const bool there, is_present(id));
        if (there) return fail(Code::io, "an entry of the outbox is not whole: " + found.error().detail());
    }
    if (!found) return fail(found.error());
    const queue::PostRecord& post = found.value();
    TPF_TRY(const Bytes sha256, from_hex(post.sha256));
    forward::Record record{post.to, post.name, post.size, {}, post.signature};
    if (sha256.size() != record.sha256.size()) return fail(Code::record_form, "the record's digest has not its length");
    std::copy(sha256.begin(), sha256.end(), record.sha256.begin());
    if (const auto checkpoint = spool_->checkpoint(post.to)) {
        record.checkpoint.note = checkpoint->note;
        record.checkpoint.consistency = std::to_string(checkpoint->old_size) + " " + checkpoint->proof;
        if (checkpoint->old_size == 0) record.checkpoint.consistency.clear();
    }
    return record;
}

Result<std::unique_ptr<File>> SpoolOutbox::open_body(const SpoolId& id) {
    return spool_->open_message(id);
}

Status SpoolOutbox::write_receipt(const SpoolId& id, const forward::Receipt& receipt) {
    return spool_->hand_over(svar_of(id, receipt));
}

Status SpoolOutbox::write_health(const std::vector<forward::RegisterHealth>& registers) {
    std::vector<queue::RegisterHealth> for_core;
    std::string told;
    for (const auto& health : registers) {
        for_core.push_back({health.name, health.trouble, health.since, health.failures});
        told += health.name.str() + " " + std::string(health.trouble ? info(*health.trouble).name : "") + " " +
                format_utc(health.since) + " " + std::to_string(health.failures) + "\n";
    }
    if (told != told_core_) {
        TPF_TRY(spool_->write_health(for_core));
        told_core_ = std::move(told);
    }
    return write_atomically(*fs_, spool_->folders().receipts / kStatusFile,
                            health_json(registers, system_clock().utc()), 0640);
}

std::string health_json(const std::vector<forward::RegisterHealth>& registers, UtcTime now) {
    nlohmann::ordered_json json = {{"updated", format_utc(now)}, {"registers", nlohmann::ordered_json::array()}};
    for (const auto& health : registers) {
        nlohmann::ordered_json one = {{"register", health.name.str()},
                                      {"state", health.trouble ? "trouble" : "well"},
                                      {"since", format_utc(health.since)},
                                      {"failures", health.failures}};
        if (health.trouble) one["code"] = info(*health.trouble).name;
        if (health.last_success) one["lastSuccess"] = format_utc(*health.last_success);
        if (health.next_attempt) one["nextAttempt"] = format_utc(*health.next_attempt);
        if (health.certificate_ends) one["certificateEnds"] = format_utc(*health.certificate_ends);
        if (health.authorities_end) one["authoritiesEnd"] = format_utc(*health.authorities_end);
        one["inFlight"] = health.in_flight;
        one["waiting"] = health.waiting;
        one["handedOver"] = health.handed_over;
        json["registers"].push_back(std::move(one));
    }
    return json.dump() + "\n";
}

}  // namespace tpf::daemon
