#pragma once
// The domain's small values, parsed once and then trusted: who sent, to which register, which message. Each type has a
// static parse() and no other way in. None of them can hold an identity number (their grammars exclude it).

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tpf {

/// A UUID version 4, variant 1, lower case, 36 characters: MeldingsId and spool id. Value type, 36 bytes.
template <class Tag>
class Uuid {
  public:
    /// Code::field_form unless `text` is exactly the form above.
    [[nodiscard]] static Result<Uuid> parse(std::string_view text);
    /// From the system's random generator.
    [[nodiscard]] static Uuid random();
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), text_.size()}; }
    [[nodiscard]] std::string str() const { return std::string(view()); }
    friend auto operator<=>(const Uuid&, const Uuid&) = default;

  private:
    Uuid() = default;
    std::array<char, 36> text_{};
};
/// Drawn by the sender at each encryption; with the Avsender it is the message's name.
using MeldingsId = Uuid<struct MeldingsIdTag>;
/// Drawn when a submission is handed over; names it in journal, spool and quarantine.
using SpoolId = Uuid<struct SpoolIdTag>;

/// Kommunenummer (4 digits), Bydelsnummer (2), Organisasjonsnummer (9, with a valid modulus-11 check digit).
class Avsender {
  public:
    /// Codes: kommunenummer when that is not 4 digits, else field_form.
    [[nodiscard]] static Result<Avsender> create(std::string_view kommunenummer, std::string_view bydelsnummer,
                                                 std::string_view organisasjonsnummer);
    /// "0301-00-974761076".
    [[nodiscard]] static Result<Avsender> parse(std::string_view text);
    [[nodiscard]] std::string_view kommunenummer() const noexcept { return std::string_view(text_).substr(0, 4); }
    [[nodiscard]] std::string_view bydelsnummer() const noexcept { return std::string_view(text_).substr(5, 2); }
    [[nodiscard]] std::string_view organisasjonsnummer() const noexcept { return std::string_view(text_).substr(8, 9); }
    /// The form that parse() reads.
    [[nodiscard]] const std::string& str() const noexcept { return text_; }
    friend auto operator<=>(const Avsender&, const Avsender&) = default;

  private:
    explicit Avsender(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// A register's name, `[A-Z]{2,12}`. Whether it is configured is asked elsewhere.
class RegisterName {
  public:
    [[nodiscard]] static Result<RegisterName> parse(std::string_view text);
    [[nodiscard]] const std::string& str() const noexcept { return text_; }
    friend auto operator<=>(const RegisterName&, const RegisterName&) = default;

  private:
    explicit RegisterName(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// Key id (KeyName), `[A-Za-z0-9._-]{1,64}`; the grammar of a register's kvittering and kode too.
class KeyId {
  public:
    [[nodiscard]] static Result<KeyId> parse(std::string_view text);
    [[nodiscard]] const std::string& str() const noexcept { return text_; }
    friend auto operator<=>(const KeyId&, const KeyId&) = default;

  private:
    explicit KeyId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// The name of a message, unique for ever: (Avsender, MeldingsId). As one string it is the Idempotency-Key.
struct MessageName {
    Avsender avsender;
    MeldingsId meldings_id;
    /// "0301-00-974761076-7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11"
    [[nodiscard]] std::string str() const { return avsender.str() + "-" + meldings_id.str(); }
    [[nodiscard]] static Result<MessageName> parse(std::string_view text);
    friend auto operator<=>(const MessageName&, const MessageName&) = default;
};

/// `[A-Za-z0-9._-]{1,64}`: what KeyId and the register's short answers must match.
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// What an installation may be fed: numbers of real people, or synthetic ones and nothing else.
enum class Installation { production, test };

}  // namespace tpf
