#pragma once
// One delivery's body on its way in: hashed, held against the format, written, and at its end decided about.

#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/sha256.h"
#include "crypto/signature.h"
#include "pseudonym/message_reader.h"
#include "register/request.h"
#include "register/store.h"

namespace tpf::reg {

/// What every delivery is decided with. Outlives them.
struct IntakeSettings {
    RegisterName reg;
    crypto::SigningKey receipt_key;
    Store& store;
    const Clock& clock;
};

/// How a delivery ended.
struct Decision {
    enum class Kind {
        received,  ///< 201: taken now
        refused,   ///< 422: can never be taken, and that is on record now
        repeated,  ///< the answer of the first time: 200, or 422 again
        conflict,  ///< 409: the name belongs to other bytes
        damaged,   ///< 400: the body is not what its digest says; nothing is on record
    };
    Kind kind;
    std::optional<Receipt> receipt;  ///< received, refused, repeated
    std::uint64_t persons = 0;       ///< received
};

/// Not thread-safe. Errors are never about the message: Code::disk_full, io (503, again later), fsync_failed (stop).
/// Memory does not depend on the message's size. Destroyed early, it leaves nothing.
class Intake {
  public:
    /// The caller holds the claim to the name until the intake is gone.
    [[nodiscard]] static Result<std::unique_ptr<Intake>> begin(const IntakeSettings& settings, Delivery delivery);
    ~Intake();
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;
    /// The next piece of the body.
    [[nodiscard]] Status feed(std::span<const std::uint8_t> piece);
    /// The body is complete. What is received or refused is durable when this returns.
    [[nodiscard]] Result<Decision> finish();

  private:
    class Check;
    Intake(const IntakeSettings& settings, Delivery delivery);
    [[nodiscard]] Result<Decision> decide_known() const;
    [[nodiscard]] Result<Decision> decide_new();

    const IntakeSettings& settings_;
    Delivery delivery_;
    std::optional<Receipt> known_;  // what was decided about the name before
    std::unique_ptr<Check> check_;  // unless known
    std::optional<Draft> draft_;    // unless known
    Sha256 hash_;
    std::uint64_t bytes_ = 0;
};

}  // namespace tpf::reg
