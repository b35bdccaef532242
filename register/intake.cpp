#include "register/intake.h"

#include <utility>

namespace tpf::reg {

/// Holds the message against the format, and its header against what the core vouched for. Remembers the first fault.
class Intake::Check final : public pseudonym::PseudonymisedHandler {
  public:
    Check(const RegisterName& reg, const MessageName& name) : reg_(reg), name_(name), reader_(*this) {}

    void feed(std::string_view piece) {
        if (!fault_) note(reader_.feed(piece));
    }
    void finish() {
        if (!fault_) note(reader_.finish());
    }
    [[nodiscard]] const std::optional<Error>& fault() const noexcept { return fault_; }
    [[nodiscard]] std::uint64_t persons() const noexcept { return persons_; }

    Status header(const pseudonym::PseudonymisedHeader& header) override {
        if (header.header.reg != reg_) return fail(Code::unknown_register, "the message is for another register");
        if (MessageName{header.header.avsender, header.header.meldings_id} != name_) {
            return fail(Code::header_differs, "the message's header is not what its name says");
        }
        persons_ = header.persons;
        return ok();
    }
    Status person(const pseudonym::PseudonymisedPerson&) override { return ok(); }
    Status sealed_begin(const pseudonym::SealedData&) override { return ok(); }
    Status sealed_piece(std::string_view) override { return ok(); }
    Status sealed_end() override { return ok(); }

  private:
    void note(const Status& status) {
        if (!status) fault_ = status.error();
    }

    const RegisterName& reg_;
    const MessageName& name_;
    pseudonym::PseudonymisedReader reader_;
    std::optional<Error> fault_;
    std::uint64_t persons_ = 0;
};

Intake::Intake(const IntakeSettings& settings, Delivery delivery)
    : settings_(settings), delivery_(std::move(delivery)) {}
Intake::~Intake() = default;

Result<std::unique_ptr<Intake>> Intake::begin(const IntakeSettings& settings, Delivery delivery) {
    std::unique_ptr<Intake> intake(new Intake(settings, std::move(delivery)));
    TPF_TRY(intake->known_, settings.store.find(intake->delivery_.name));
    if (!intake->known_) {
        TPF_TRY(settings.store.check_room(intake->delivery_.length));
        TPF_TRY(Draft draft, settings.store.begin());
        intake->draft_.emplace(std::move(draft));
        intake->check_ = std::make_unique<Check>(settings.reg, intake->delivery_.name);
    }
    return intake;
}

Status Intake::feed(std::span<const std::uint8_t> piece) {
    hash_.update(piece);
    bytes_ += piece.size();
    if (known_) return ok();
    // A faulty message is read to its end nevertheless: only its digest tells a message that can never be taken from
    // one that was damaged on the way.
    check_->feed(as_text(piece));
    return check_->fault() ? ok() : draft_->write(piece);
}

Result<Decision> Intake::finish() {
    if (hash_.finish() != delivery_.sha256) return Decision{Decision::Kind::damaged, std::nullopt};
    return known_ ? decide_known() : decide_new();
}

Result<Decision> Intake::decide_known() const {
    if (known_->sha256 != delivery_.sha256_hex) return Decision{Decision::Kind::conflict, std::nullopt};
    return Decision{Decision::Kind::repeated, known_};
}

Result<Decision> Intake::decide_new() {
    check_->finish();
    const auto& fault = check_->fault();
    StoredMessage message;
    message.bytes = bytes_;
    message.persons = fault ? 0 : check_->persons();
    message.receipt.status = fault ? Receipt::Status::refused : Receipt::Status::received;
    message.receipt.token = fault ? std::string(fault->name()) : new_kvittering(settings_.reg);
    message.receipt.name = delivery_.name.str();
    message.receipt.sha256 = delivery_.sha256_hex;
    message.receipt.time = format_utc(settings_.clock.utc());
    sign(message.receipt, settings_.reg, settings_.receipt_key);
    TPF_TRY(settings_.store.commit(*std::exchange(draft_, std::nullopt), message));
    return Decision{fault ? Decision::Kind::refused : Decision::Kind::received, message.receipt, message.persons};
}

}  // namespace tpf::reg
