#include "register/receipt.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace tpf::reg {
namespace {

using nlohmann::ordered_json;

/// The member that holds the token.
const char* token_member(Receipt::Status status) {
    return status == Receipt::Status::received ? "kvittering" : "kode";
}

std::string base32(ByteView bytes) {
    static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
    std::string text;
    unsigned bits = 0;
    unsigned held = 0;
    for (const std::uint8_t byte : bytes) {
        held = (held << 8U) | byte;
        for (bits += 8; bits >= 5; bits -= 5) text += kAlphabet[(held >> (bits - 5)) & 31U];
    }
    if (bits > 0) text += kAlphabet[(held << (5 - bits)) & 31U];
    return text;
}

}  // namespace

std::string_view to_string(Receipt::Status status) noexcept {
    return status == Receipt::Status::received ? "mottatt" : "avvist";
}

std::string receipt_text(const RegisterName& reg, const Receipt& receipt) {
    return crypto::signed_text({"tpf-kvittering-v1", reg.str(), receipt.name, receipt.sha256, to_string(receipt.status),
                                receipt.token, receipt.time});
}

void sign(Receipt& receipt, const RegisterName& reg, const crypto::SigningKey& key) {
    receipt.signature = base64(key.sign(receipt_text(reg, receipt)));
}

std::string to_json(const Receipt& receipt) {
    ordered_json json;
    json["status"] = to_string(receipt.status);
    json[token_member(receipt.status)] = receipt.token;
    json["navn"] = receipt.name;
    json["sha256"] = receipt.sha256;
    json["mottatt"] = receipt.time;
    json["signatur"] = receipt.signature;
    return json.dump();
}

Result<Receipt> receipt_from_json(std::string_view text) try {
    const auto json = ordered_json::parse(text);
    Receipt receipt;
    const auto status = json.at("status").get<std::string>();
    if (status != "mottatt" && status != "avvist")
        return fail(Code::record_damaged, "a stored receipt has no known status");
    receipt.status = status == "mottatt" ? Receipt::Status::received : Receipt::Status::refused;
    receipt.token = json.at(token_member(receipt.status)).get<std::string>();
    receipt.name = json.at("navn").get<std::string>();
    receipt.sha256 = json.at("sha256").get<std::string>();
    receipt.time = json.at("mottatt").get<std::string>();
    receipt.signature = json.at("signatur").get<std::string>();
    return receipt;
} catch (const nlohmann::json::exception&) {
    return fail(Code::record_damaged, "a stored receipt is not what this program writes");
}

std::string new_kvittering(const RegisterName& reg) {
    const auto random = crypto::SecretBytes::random(16);
    // Random, but no secret: it is told to whoever the receipt is for.
    return reg.str() + "-" + base32(random.bytes(crypto::SecretToken::access()));
}

}  // namespace tpf::reg
