#include "pseudonym/derivation.h"

#include <array>

namespace tpf::pseudonym {
namespace {

constexpr char kBase32[] = "abcdefghijklmnopqrstuvwxyz234567";

/// 20 bytes are 160 bits: 32 characters of 5 bits.
void append_base32(std::span<const std::uint8_t, 20> bytes, std::string& out) {
    char text[32];
    for (std::size_t group = 0; group < 4; ++group) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | bytes[group * 5 + i];
        for (std::size_t i = 0; i < 8; ++i) text[group * 8 + i] = kBase32[bits >> (35 - 5 * i) & 31];
    }
    out.append(text, sizeof text);
}

}  // namespace

PseudonymDeriver::PseudonymDeriver(crypto::PseudonymMac mac, unsigned version, std::string_view domain)
    : mac_(std::move(mac)), version_(version), label_("tpf-pseudonym-v1"), prefix_(std::to_string(version) + "-") {
    label_ += '\0';
    label_ += domain;
    label_ += '\0';
}

Status PseudonymDeriver::append(const IdentityNumber& number, std::string_view organisasjonsnummer, std::string& out) {
    std::array<std::uint8_t, 32> mac;
    if (number.kind() == NumberKind::h_nummer) {
        TPF_TRY(mac_.compute({label_, number.digits(), ":", organisasjonsnummer}, mac));
    } else {
        TPF_TRY(mac_.compute({label_, number.digits()}, mac));
    }
    out += prefix_;
    append_base32(std::span<const std::uint8_t, 20>(mac.data(), 20), out);
    return ok();
}

}  // namespace tpf::pseudonym
