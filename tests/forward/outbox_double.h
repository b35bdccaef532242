#pragma once
// An outbox in memory, and files that are not on a disk.

#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "forward/outbox.h"

namespace tpf::forward::test {

/// A file that holds a text.
class TextFile : public File {
  public:
    explicit TextFile(std::string text) : text_(std::move(text)) {}
    Result<std::size_t> read(std::span<std::uint8_t> to) override;
    Status write(std::span<const std::uint8_t>) override { return fail(Code::io, "not for writing"); }
    Status sync() override { return ok(); }
    void start_writeback() noexcept override {}
    Status seek(std::uint64_t offset) override;

  private:
    std::string text_;
    std::size_t at_ = 0;
};

/// A file of `size` bytes that are made as they are read.
class PatternFile : public File {
  public:
    explicit PatternFile(std::uint64_t size) : size_(size) {}
    Result<std::size_t> read(std::span<std::uint8_t> to) override;
    Status write(std::span<const std::uint8_t>) override { return fail(Code::io, "not for writing"); }
    Status sync() override { return ok(); }
    void start_writeback() noexcept override {}
    Status seek(std::uint64_t offset) override;
    [[nodiscard]] static Digest digest(std::uint64_t size);

  private:
    std::uint64_t size_;
    std::uint64_t at_ = 0;
};

/// Thread-safe: tests look while the dispatcher works. Faults are set before it runs.
class OutboxDouble : public Outbox {
  public:
    explicit OutboxDouble(Path watched) : watched_(std::move(watched)) {}

    /// A message of this body; its record is in order.
    SpoolId add(const RegisterName& name, const std::string& body);
    void change_record(const SpoolId& id, const std::function<void(Record&)>& change);
    void break_record(const SpoolId& id, Code code);
    void fail_receipts(Code code);
    /// The core at work: takes the receipt, and the message too where `accept`.
    void take(const SpoolId& id, bool accept);
    [[nodiscard]] std::map<SpoolId, Receipt> receipts();
    [[nodiscard]] std::vector<RegisterHealth> health();
    [[nodiscard]] unsigned receipts_written();

    Result<std::vector<SpoolId>> to_send() override;
    Result<bool> is_present(const SpoolId& id) override;
    Result<Record> record(const SpoolId& id) override;
    Result<std::unique_ptr<File>> open_body(const SpoolId& id) override;
    Status write_receipt(const SpoolId& id, const Receipt& receipt) override;
    Status write_health(const std::vector<RegisterHealth>& registers) override;
    Path watched_folder() const override { return watched_; }

  private:
    struct Entry {
        Record record;
        std::string body;
        std::optional<Code> broken;
    };
    Path watched_;
    std::mutex mutex_;
    std::map<SpoolId, Entry> entries_;
    std::map<SpoolId, Receipt> receipts_;
    std::vector<RegisterHealth> health_;
    std::optional<Code> receipts_fail_;
    unsigned receipts_written_ = 0;
};

/// A name that is as good as any.
[[nodiscard]] MessageName some_name();
/// What has the form of a signature.
[[nodiscard]] std::string some_signature();
/// An answer that judge() takes for this message's receipt: 201's JSON.
[[nodiscard]] std::string receipt_json(std::string_view name, std::string_view sha256);

}  // namespace tpf::forward::test
