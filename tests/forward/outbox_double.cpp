#include "tests/forward/outbox_double.h"

#include <algorithm>
#include <functional>

#include "base/encoding.h"

namespace tpf::forward::test {

Result<std::size_t> TextFile::read(std::span<std::uint8_t> to) {
    const std::size_t size = std::min(to.size(), text_.size() - at_);
    if (size > 0) std::memcpy(to.data(), text_.data() + at_, size);
    at_ += size;
    return size;
}

Status TextFile::seek(std::uint64_t offset) {
    at_ = static_cast<std::size_t>(offset);
    return ok();
}

Result<std::size_t> PatternFile::read(std::span<std::uint8_t> to) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), size_ - at_));
    for (std::size_t i = 0; i < size; i += 4096) {
        std::memset(to.data() + i, static_cast<int>(((at_ + i) / 4096) & 0xff), std::min<std::size_t>(4096, size - i));
    }
    at_ += size;
    return size;
}

Status PatternFile::seek(std::uint64_t offset) {
    at_ = offset;
    return ok();
}

Digest PatternFile::digest(std::uint64_t size) {
    PatternFile file(size);
    std::vector<std::uint8_t> buffer(256 * 1024);
    Sha256 hash;
    for (;;) {
        const std::size_t got = file.read(buffer).value();
        if (got == 0) return hash.finish();
        hash.update(std::span<const std::uint8_t>(buffer.data(), got));
    }
}

SpoolId OutboxDouble::add(const RegisterName& name, const std::string& body) {
    const std::lock_guard lock(mutex_);
    const SpoolId id = SpoolId::random();
    entries_.emplace(id, Entry{Record{name, some_name(), body.size(), sha256(body), some_signature()}, body, {}});
    return id;
}

void OutboxDouble::change_record(const SpoolId& id, const std::function<void(Record&)>& change) {
    const std::lock_guard lock(mutex_);
    change(entries_.at(id).record);
}

void OutboxDouble::break_record(const SpoolId& id, Code code) {
    const std::lock_guard lock(mutex_);
    entries_.at(id).broken = code;
}

void OutboxDouble::fail_receipts(Code code) {
    const std::lock_guard lock(mutex_);
    receipts_fail_ = code;
}

void OutboxDouble::take(const SpoolId& id, bool accept) {
    const std::lock_guard lock(mutex_);
    receipts_.erase(id);
    if (accept) entries_.erase(id);
}

std::map<SpoolId, Receipt> OutboxDouble::receipts() {
    const std::lock_guard lock(mutex_);
    return receipts_;
}

std::vector<RegisterHealth> OutboxDouble::health() {
    const std::lock_guard lock(mutex_);
    return health_;
}

unsigned OutboxDouble::receipts_written() {
    const std::lock_guard lock(mutex_);
    return receipts_written_;
}

Result<std::vector<SpoolId>> OutboxDouble::to_send() {
    const std::lock_guard lock(mutex_);
    std::vector<SpoolId> ids;
    for (const auto& [id, entry] : entries_) {
        if (!receipts_.contains(id)) ids.push_back(id);
    }
    return ids;
}

Result<bool> OutboxDouble::is_present(const SpoolId& id) {
    const std::lock_guard lock(mutex_);
    return entries_.contains(id);
}

Result<Record> OutboxDouble::record(const SpoolId& id) {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(id);
    if (at == entries_.end()) return fail(Code::not_found, "no such entry");
    if (at->second.broken) return fail(*at->second.broken, "as the test said");
    return at->second.record;
}

Result<std::unique_ptr<File>> OutboxDouble::open_body(const SpoolId& id) {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(id);
    if (at == entries_.end()) return fail(Code::not_found, "no such entry");
    return std::unique_ptr<File>(std::make_unique<TextFile>(at->second.body));
}

Status OutboxDouble::write_receipt(const SpoolId& id, const Receipt& receipt) {
    const std::lock_guard lock(mutex_);
    if (receipts_fail_) return fail(*receipts_fail_, "as the test said");
    receipts_.emplace(id, receipt);
    ++receipts_written_;
    return ok();
}

Status OutboxDouble::write_health(const std::vector<RegisterHealth>& registers) {
    const std::lock_guard lock(mutex_);
    health_ = registers;
    return ok();
}

MessageName some_name() {
    return MessageName{Avsender::create("0301", "00", "974761076").value(), MeldingsId::random()};
}

std::string some_signature() {
    return base64(Bytes(64, 7));
}

std::string receipt_json(std::string_view name, std::string_view sha256) {
    return "{\"status\":\"mottatt\",\"kvittering\":\"K-1\",\"navn\":\"" + std::string(name) + "\",\"sha256\":\"" +
           std::string(sha256) + "\",\"mottatt\":\"2027-01-04T09:30:00Z\",\"signatur\":\"" + some_signature() + "\"}";
}

}  // namespace tpf::forward::test
