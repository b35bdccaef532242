#pragma once
// Runs a pass over a document in memory, with keys from FakeTransport unless told otherwise.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pseudonym/pass.h"
#include "tests/support/submission_builder.h"

namespace tpf::test {

/// Keeps everything; can be told to fail.
class MemorySink final : public pseudonym::OutputSink {
  public:
    [[nodiscard]] Status write(TextBuffer& piece) override {
        if (failure) return fail(*failure);
        text += piece.view();
        return ok();
    }
    std::string text;
    std::optional<Error> failure;
};

/// Ends the test program when a private key is used: for refusals that must come before that.
class UntouchableKey final : public crypto::KeyUnwrapper {
  public:
    [[nodiscard]] Result<crypto::ContentKey> unwrap(crypto::KeyTransport, crypto::ContentCipher,
                                                    ByteView) const override {
        throw std::logic_error("a private key was used");
    }
};

/// 000102…1f, the first key of the outside vectors.
[[nodiscard]] inline crypto::SecretBytes counting_key() {
    Bytes bytes(32);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
    return crypto::SecretBytes::copy_of(bytes);
}

/// Message key TPF-2026; registers IPLOS and KPR with the keys IPLOS-2026 and KPR-2026; pseudonym version 1.
class TestKeys final : public pseudonym::PassKeys {
  public:
    TestKeys() {
        message_keys.insert_or_assign(
            "TPF-2026", crypto::KeyRing::MessageKey{std::make_shared<FakeTransport>(), crypto::KeyPolicy::modern(),
                                                    FakeTransport::kSize});
    }
    [[nodiscard]] Result<crypto::KeyRing::MessageKey> message_key(const KeyId& id) const override {
        const auto found = message_keys.find(id.str());
        if (found == message_keys.end()) return fail(Code::unknown_key);
        return found->second;
    }
    [[nodiscard]] Result<pseudonym::RegisterSetup> register_setup(const RegisterName& reg) const override {
        if (reg.str() != "IPLOS" && reg.str() != "KPR") return fail(Code::unknown_register);
        pseudonym::RegisterSetup setup;
        setup.rules = rules;
        setup.quarantine_invalid = quarantine_invalid;
        for (const unsigned version : versions) {
            crypto::SecretBytes key = counting_key();
            key.writable(crypto::SecretToken::access())[0] = static_cast<std::uint8_t>(version - 1);
            setup.derivers.emplace_back(crypto::HmacSha256(key), version, reg.str());
        }
        setup.keys.push_back({must(KeyId::parse(reg.str() + "-2026")), FakeTransport::kSize, register_policy});
        return setup;
    }

    std::map<std::string, crypto::KeyRing::MessageKey> message_keys;
    crypto::KeyPolicy register_policy = crypto::KeyPolicy::modern();
    pseudonym::NumberRules rules;
    bool quarantine_invalid = false;
    std::vector<unsigned> versions = {1};
};

struct PassAnswer {
    std::optional<pseudonym::PassReport> report;
    std::optional<Error> error;
    std::string output;  ///< what reached the sink, published or not
    bool authentic = false;
    PersonMarks marked;

    [[nodiscard]] std::string name() const { return error ? std::string(error->name()) : "OK"; }
};

/// `piece`: bytes fed at once, 0: all.
[[nodiscard]] inline PassAnswer run_pass(const pseudonym::PassKeys& keys, std::string_view document,
                                         const pseudonym::PassOptions& options = {}, std::size_t piece = 0) {
    PassAnswer answer;
    MemorySink sink;
    pseudonym::Pass pass(keys, options, sink);
    if (piece == 0) piece = std::max<std::size_t>(document.size(), 1);
    for (std::size_t at = 0; at < document.size() && !answer.error; at += piece) {
        const Status fed = pass.feed(as_bytes(document.substr(at, piece)));
        if (!fed) answer.error = fed.error();
    }
    if (!answer.error) {
        auto report = pass.finish();
        if (report) {
            answer.report = std::move(report).value();
        } else {
            answer.error = report.error();
        }
    }
    answer.output = std::move(sink.text);
    answer.authentic = pass.authentic();
    answer.marked = pass.marked();
    return answer;
}

}  // namespace tpf::test
