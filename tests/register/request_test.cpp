#include "register/request.h"

#include <doctest/doctest.h>

#include "base/encoding.h"

using namespace tpf;
using namespace tpf::reg;

namespace {

constexpr std::string_view kName = "0301-00-974761076-7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11";

struct Fixture {
    crypto::SigningKey core = crypto::SigningKey::generate();
    crypto::SigningKey next_core = crypto::SigningKey::generate();
    RequestRules rules{RegisterName::parse("IPLOS").value(), {core.verify_key(), next_core.verify_key()}, 1000};
    Digest digest = sha256("body");
    RequestHead head = signed_by(core, "IPLOS", kName, hex(digest));

    [[nodiscard]] RequestHead signed_by(const crypto::SigningKey& key, std::string_view reg, std::string_view name,
                                        std::string_view hex_digest) const {
        const auto signature = key.sign(crypto::signed_text({"tpf-melding-v1", reg, name, hex_digest}));
        return {"POST",
                "/v1/meldinger",
                "application/xml",
                "",
                std::string(name),
                "sha-256=:" + base64(digest) + ":",
                base64(signature),
                4};
    }
    /// 0: taken.
    [[nodiscard]] unsigned status(const RequestHead& changed) const {
        const Judged judged = judge(changed, rules);
        return judged.delivery ? 0 : judged.answer.status;
    }
    template <class Change>
    [[nodiscard]] unsigned after(Change change) const {
        RequestHead changed = head;
        change(changed);
        return status(changed);
    }
};

}  // namespace

TEST_SUITE("register/request") {
    TEST_CASE("a head in order") {
        const Fixture f;
        const Judged judged = judge(f.head, f.rules);
        REQUIRE(judged.delivery.has_value());
        CHECK(judged.delivery->name.str() == kName);
        CHECK(judged.delivery->sha256 == f.digest);
        CHECK(judged.delivery->sha256_hex == hex(f.digest));
        CHECK(judged.delivery->length == 4);
        CHECK(f.after([](RequestHead& h) { h.content_type = "Application/XML; charset=utf-8"; }) == 0);
        CHECK(f.status(f.signed_by(f.next_core, "IPLOS", kName, hex(f.digest))) == 0);
    }

    TEST_CASE("what a head may not be") {
        const Fixture f;
        CHECK(f.after([](RequestHead& h) { h.target = "/v1/meldinger/"; }) == 404);
        CHECK(f.after([](RequestHead& h) { h.target = "/v1/meldinger?x"; }) == 404);
        CHECK(f.after([](RequestHead& h) { h.method = "PUT"; }) == 405);
        CHECK(f.after([](RequestHead& h) { h.content_type = "text/xml"; }) == 415);
        CHECK(f.after([](RequestHead& h) { h.content_type = ""; }) == 415);
        CHECK(f.after([](RequestHead& h) { h.content_type = "application/xml, application/xml"; }) == 415);
        CHECK(f.after([](RequestHead& h) { h.content_encoding = "gzip"; }) == 415);
        CHECK(f.after([](RequestHead& h) { h.content_length.reset(); }) == 411);
        CHECK(f.after([](RequestHead& h) { h.content_length = 1001; }) == 413);
        CHECK(f.after([](RequestHead& h) { h.idempotency_key = ""; }) == 400);
        CHECK(f.after([](RequestHead& h) { h.idempotency_key = "\"" + h.idempotency_key + "\""; }) == 400);
        CHECK(f.after([](RequestHead& h) { h.content_digest = ""; }) == 400);
        CHECK(judge(f.head, {f.rules.reg, {}, 1000}).answer.status == 403);
    }

    TEST_CASE("a signature over anything else is refused") {
        const Fixture f;
        const std::string digest = hex(f.digest);
        CHECK(f.status(f.signed_by(crypto::SigningKey::generate(), "IPLOS", kName, digest)) == 403);
        CHECK(f.status(f.signed_by(f.core, "KPR", kName, digest)) == 403);
        CHECK(f.status(f.signed_by(f.core, "IPLOS", kName, hex(sha256("other")))) == 403);
        CHECK(f.after([](RequestHead& h) { h.idempotency_key.back() = '2'; }) == 403);
        CHECK(f.after([](RequestHead& h) { h.signature = ""; }) == 403);
        CHECK(f.after([](RequestHead& h) { h.signature += ", " + h.signature; }) == 403);
    }

    TEST_CASE("Content-Digest (RFC 9530)") {
        const std::string ours = "sha-256=:" + base64(sha256("body")) + ":";
        const std::string other = "sha-512=:" + base64(Bytes(64, 1)) + ":";
        for (const std::string& good : {ours, ours + ", " + other, other + "," + ours, " " + ours + "\t"}) {
            CHECK_MESSAGE(parse_content_digest(good) == sha256("body"), good);
        }
        for (const std::string& bad : std::vector<std::string>{
                 "", other, ours + "," + ours, ours + ",", "," + ours, base64(sha256("body")),
                 "sha-256=:AAAA:", "SHA-256=:" + base64(sha256("body")) + ":", "sha-256=" + base64(sha256("body")),
                 ours + ";x=1", "sha-256=:", "sha-256", "sha-256=:" + base64(sha256("body"))}) {
            CHECK_MESSAGE(!parse_content_digest(bad).has_value(), bad);
        }
    }
}
