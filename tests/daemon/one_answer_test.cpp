// Formats.md § 2, "One answer for all that an attacker could measure": messages mutated at random, of each class of
// failure many, get one receipt to the letter. TPF_MUTATIONS=10000 for the long run.

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <random>
#include <set>

#include "daemon/pipeline.h"
#include "queue/kvittering.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using crypto::ContentCipher;
using crypto::ContentKey;
using crypto::KeyTransport;

unsigned mutations() {
    const char* wanted = std::getenv("TPF_MUTATIONS");
    return wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 40U;
}

/// What goes wrong, and how. A message's MeldingsId and arrival are the same each time, so that its receipts could be.
using Mutation = std::function<void(SubmissionBuilder&, std::mt19937_64&)>;

void flip(Bytes& octets, std::size_t from, std::size_t size, std::mt19937_64& random) {
    octets[from + random() % size] ^= static_cast<std::uint8_t>(1U << random() % 8);
}

/// The wrapped key after the right wrapping, changed.
void rewrap(SubmissionBuilder& message, const std::function<void(Bytes&)>& change) {
    const auto right = message.tpf.recipient.wrap;
    message.tpf.recipient.wrap = [right, change](const ContentKey& key) {
        Bytes wrapped = right(key);
        change(wrapped);
        return wrapped;
    };
}

using Classes = std::vector<std::pair<const char*, Mutation>>;

/// A content key wrapped in the right way but for `transport`, or of another length.
Mutation wrapped_as(KeyTransport transport, ContentCipher cipher, const std::optional<crypto::RsaPublicKey>& key) {
    return [transport, cipher, &key](SubmissionBuilder& m, std::mt19937_64&) {
        m.tpf.recipient.wrap = [transport, cipher, &key](const ContentKey& right) {
            crypto::KeyWrapper wrapper(*key, transport);
            if (right.cipher == cipher) return must(wrapper.wrap(right));
            return must(wrapper.wrap(ContentKey::random(cipher)));
        };
    };
}

/// Of the wrapped key; the same for each profile.
Classes of_the_key() {
    return {
        {"a bit of the wrapped key",
         [](SubmissionBuilder& m, std::mt19937_64& r) { rewrap(m, [&r](Bytes& w) { flip(w, 1, w.size() - 1, r); }); }},
        {"no smaller than the modulus",
         [](SubmissionBuilder& m, std::mt19937_64&) {
             rewrap(m, [](Bytes& w) { std::fill(w.begin(), w.end(), 0xff); });
         }},
        {"a wrapped key of another length",
         [](SubmissionBuilder& m, std::mt19937_64& r) {
             rewrap(m, [&r](Bytes& w) { w.resize(1 + r() % (w.size() - 1)); });
         }},
    };
}

const Classes& modern_classes() {
    static const Classes all = [] {
        const auto& key = TestRing::get().tpf_key;
        Classes list = of_the_key();
        list.emplace_back("another padding", wrapped_as(KeyTransport::rsa_1_5, ContentCipher::aes256_gcm, key));
        list.emplace_back("a content key of another length",
                          wrapped_as(KeyTransport::oaep_sha256_mgf1_sha256, ContentCipher::aes128_gcm, key));
        list.emplace_back("a bit of the tag", [](SubmissionBuilder& m, std::mt19937_64& r) {
            m.tpf.edit_octets = [&r](Bytes& o) { flip(o, o.size() - 16, 16, r); };
        });
        list.emplace_back("a bit of the content", [](SubmissionBuilder& m, std::mt19937_64& r) {
            m.tpf.edit_octets = [&r](Bytes& o) { flip(o, 12, o.size() - 28, r); };
        });
        list.emplace_back("the content cut", [](SubmissionBuilder& m, std::mt19937_64& r) {
            m.tpf.edit_octets = [&r](Bytes& o) { o.resize(1 + r() % (o.size() - 1)); };
        });
        return list;
    }();
    return all;
}

/// CBC has no tag: a change of the IV can make another good message, so the content's own faults begin behind it.
const Classes& legacy_classes() {
    static const Classes all = [] {
        const auto& key = TestRing::get().net_key;
        Classes list = of_the_key();
        list.emplace_back("another padding", wrapped_as(KeyTransport::oaep_mgf1p_sha1, ContentCipher::aes256_cbc, key));
        list.emplace_back("a content key of another length",
                          wrapped_as(KeyTransport::rsa_1_5, ContentCipher::aes128_gcm, key));
        list.emplace_back("a bit of the content's padding", [](SubmissionBuilder& m, std::mt19937_64& r) {
            m.tpf.edit_octets = [&r](Bytes& o) { flip(o, o.size() - 16, 16, r); };
        });
        list.emplace_back("a bit of the content", [](SubmissionBuilder& m, std::mt19937_64& r) {
            m.tpf.edit_octets = [&r](Bytes& o) { flip(o, 16, o.size() - 32, r); };
        });
        list.emplace_back("the content cut", [](SubmissionBuilder& m, std::mt19937_64& r) {
            m.tpf.edit_octets = [&r](Bytes& o) { o.resize(1 + r() % (o.size() - 1)); };
        });
        return list;
    }();
    return all;
}

/// An installation for some hundred messages: thousands under one MeldingsId in one journal would be the test's own
/// load.
constexpr unsigned kMessagesPerCore = 500;

struct Answerer : CoreFixture {
    Pipeline pipeline{core};

    /// The receipt, and what stands in the journal, without what tells one message from another.
    std::string answer_to(const std::string& document) {
        const SpoolId id = handed_over(document);
        get(pipeline.process(id));
        queue::MessageRow told = row(id);
        const std::string reason = told.reason;
        const std::string receipt = queue::kvittering_json(told, nullptr);
        good(journal->discard(id, AuditEntry(AuditKind::discarded, "kari")));
        good(spool->remove_payloads(id));
        return receipt + reason;
    }
};

struct OneAnswer {
    std::optional<Answerer> one;
    unsigned used = 0;

    std::string answer_to(const std::string& document) {
        if (used++ % kMessagesPerCore == 0) one.emplace();
        return one->answer_to(document);
    }
    std::set<std::string> answers_to(const Classes& classes, const std::function<void(SubmissionBuilder&)>& prepare) {
        std::mt19937_64 random(20270104);
        std::set<std::string> answers;
        for (const auto& [name, mutate] : classes) {
            const std::string what = name;  // a lambda may not have a structured binding
            CAPTURE(what);
            for (unsigned i = 0; i < mutations(); ++i) {
                SubmissionBuilder message = Answerer::submission("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11");
                prepare(message);
                mutate(message, random);
                answers.insert(answer_to(message.build()));
            }
            CHECK(answers.size() == 1);
        }
        return answers;
    }
};

}  // namespace

TEST_SUITE("daemon/one_answer") {
    TEST_CASE_FIXTURE(OneAnswer, "whatever fails in unwrapping, padding or tag: one receipt, one reason") {
        const auto answers = answers_to(modern_classes(), [](SubmissionBuilder&) {});
        CHECK(answers.size() == 1);
        CHECK(answers.begin()->find("\"DEKRYPTERING\"") != std::string::npos);
    }

    TEST_CASE_FIXTURE(OneAnswer, "the same under a legacy key, which an operator resumes again and again") {
        const TestRing& ring = TestRing::get();
        const KeyId id = must(KeyId::parse("NETT"));
        const auto answers = answers_to(legacy_classes(), [&](SubmissionBuilder& message) {
            static_cast<void>(ring.ring->resume(id));
            message.tpf.recipient =
                tpf::test::Recipient::rsa("NETT", *ring.net_key, KeyTransport::rsa_1_5, ContentCipher::aes256_cbc);
        });
        CHECK(answers.size() == 1);
        CHECK(answers.begin()->find("\"DEKRYPTERING\"") != std::string::npos);
    }
}

}  // namespace tpf::daemon::test
