#pragma once
// What becomes of a register's answer: the forwarder hands it over, the core believes it only after verifying the
// register's signature, and changes state only then (formats.md § 6).

#include "daemon/core.h"
#include "queue/message_row.h"

namespace tpf::daemon {

/// Thread-safe; an answer is worked on by one thread at a time.
class Receipts {
  public:
    explicit Receipts(Core& core) noexcept : core_(core) {}
    /// Takes receipts/new/ID. Errors have disposition stop.
    [[nodiscard]] Status process(const SpoolId& id);
    /// Removes payloads of delivered messages whose retention has passed, `limit` at the most; how many it removed.
    [[nodiscard]] Result<std::size_t> remove_expired(std::size_t limit);
    struct Answers {
        std::uint64_t written = 0;
        std::uint64_t failed = 0;  ///< still due: call again after a while
    };
    /// Writes all kvitteringer that are due, asking for `at_once` of them at a time. One that cannot be written keeps
    /// none of the others. Errors have disposition stop.
    [[nodiscard]] Result<Answers> write_answers(std::size_t at_once);

  private:
    /// Removes receipts/new/ID; false: it cannot be removed, it is left and told of (Spool::blocked()).
    [[nodiscard]] Result<bool> take_away(const SpoolId& id);
    [[nodiscard]] Status carry_out(const queue::MessageRow& row);
    [[nodiscard]] Status judge(const queue::MessageRow& row, const queue::SvarRecord& svar);
    [[nodiscard]] Status delivered(const queue::MessageRow& row, const queue::SvarRecord& svar);
    [[nodiscard]] Status refused(const queue::MessageRow& row, const queue::SvarRecord& svar);
    [[nodiscard]] Status checkpoint_refused(const queue::MessageRow& row, const queue::SvarRecord& svar);
    [[nodiscard]] Status take_seen(const queue::MessageRow& row, const SeenCheckpoint& seen);
    [[nodiscard]] Status digest_doubted(const queue::MessageRow& row, const queue::SvarRecord& svar);
    [[nodiscard]] Status not_a_receipt(const queue::MessageRow& row, const char* why);
    [[nodiscard]] Status quarantine(const queue::MessageRow& row, Code code, const std::string& reason,
                                    const std::optional<std::string>& kode);
    [[nodiscard]] Result<bool> output_intact(const queue::MessageRow& row) const;
    [[nodiscard]] Status remove_payloads(const SpoolId& id);
    [[nodiscard]] Status write_answer(const queue::MessageRow& row);

    Core& core_;
};

/// Whether `svar` is signed by one of `keys` as an answer `status` to the message; `token` is kvittering or kode.
[[nodiscard]] bool signed_by_register(const std::vector<crypto::VerifyKey>& keys, const queue::MessageRow& row,
                                      const queue::SvarRecord& svar, std::string_view status,
                                      const std::optional<std::string>& token);

}  // namespace tpf::daemon
