// Formats.md § 2, "One answer for all that an attacker could measure": messages mutated at random, of each class of
// failure many, get one receipt to the letter. TPF_MUTATIONS=10000 for the long run.

#include <doctest/doctest.h>

#include <cstdlib>
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

const std::vector<std::pair<const char*, Mutation>>& classes() {
    static const std::vector<std::pair<const char*, Mutation>> all = {
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
        {"another padding",
         [](SubmissionBuilder& m, std::mt19937_64&) {
             m.tpf.recipient.wrap = [](const ContentKey& key) {
                 return must(crypto::KeyWrapper(*TestRing::get().tpf_key, KeyTransport::rsa_1_5).wrap(key));
             };
         }},
        {"a content key of another length",
         [](SubmissionBuilder& m, std::mt19937_64&) {
             m.tpf.recipient.wrap = [](const ContentKey&) {
                 const auto shorter = ContentKey::random(ContentCipher::aes128_gcm);
                 return must(
                     crypto::KeyWrapper(*TestRing::get().tpf_key, KeyTransport::oaep_sha256_mgf1_sha256).wrap(shorter));
             };
         }},
        {"a bit of the tag",
         [](SubmissionBuilder& m, std::mt19937_64& r) {
             m.tpf.edit_octets = [&r](Bytes& o) { flip(o, o.size() - 16, 16, r); };
         }},
        {"a bit of the content",
         [](SubmissionBuilder& m, std::mt19937_64& r) {
             m.tpf.edit_octets = [&r](Bytes& o) { flip(o, 12, o.size() - 28, r); };
         }},
        {"the content cut",
         [](SubmissionBuilder& m, std::mt19937_64& r) {
             m.tpf.edit_octets = [&r](Bytes& o) { o.resize(1 + r() % (o.size() - 1)); };
         }},
    };
    return all;
}

struct OneAnswer : CoreFixture {
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

}  // namespace

TEST_SUITE("daemon/one_answer") {
    TEST_CASE_FIXTURE(OneAnswer, "whatever fails in unwrapping, padding or tag: one receipt, one reason") {
        std::mt19937_64 random(20270104);
        std::set<std::string> answers;
        for (const auto& [name, mutate] : classes()) {
            const std::string what = name;  // a lambda may not have a structured binding
            CAPTURE(what);
            for (unsigned i = 0; i < mutations(); ++i) {
                SubmissionBuilder message = submission("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11");
                mutate(message, random);
                answers.insert(answer_to(message.build()));
            }
            CHECK(answers.size() == 1);
        }
        CHECK(answers.begin()->find("\"DEKRYPTERING\"") != std::string::npos);
    }
}

}  // namespace tpf::daemon::test
