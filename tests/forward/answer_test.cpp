#include "forward/answer.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace tpf;
using forward::AnswerFields;
using forward::HttpAnswer;
using forward::judge;
using forward::parse_answer;
using forward::Verdict;

const std::string kName = "0301-00-974761076-7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11";
const std::string kSha = std::string(64, 'a');
const std::string kSignature = std::string(86, 'A') + "==";
const UtcTime kNow = parse_utc("2027-01-04T09:30:00Z").value();

std::string member(const std::string& name, const std::string& value) {
    return "\"" + name + "\":\"" + value + "\"";
}

std::string common() {
    return member("navn", kName) + "," + member("sha256", kSha) + "," + member("mottatt", "2027-01-04T09:30:00Z") +
           "," + member("signatur", kSignature);
}
std::string mottatt() {
    return "{" + member("status", "mottatt") + "," + member("kvittering", "K-1") + "," + common() + "}";
}
std::string avvist() {
    return "{" + member("status", "avvist") + "," + member("kode", "R.7") + "," + common() + "}";
}

Verdict::Kind kind(int status, const std::string& body, bool too_long = false) {
    return judge(HttpAnswer{status, "", body, too_long}, kNow).kind;
}

TEST_SUITE("forward/answer") {
    TEST_CASE("the answer of the format") {
        const auto fields = parse_answer(mottatt());
        REQUIRE(fields);
        CHECK(fields.value() ==
              AnswerFields{"mottatt", "K-1", "", kName, kSha, "2027-01-04T09:30:00Z", kSignature, ""});
        const auto refused = parse_answer(avvist());
        REQUIRE(refused);
        CHECK(refused.value().kode == "R.7");
        CHECK(refused.value().kvittering.empty());
    }

    TEST_CASE("other members are skipped, whatever they hold") {
        for (const char* other : {"\"melding\":\"Takk\"", "\"x\":[1,2,{\"status\":\"avvist\"}]", "\"x\":null",
                                  "\"x\":1e3", "\"x\":{\"navn\":7}", "\"x\":\"\\u00e5\"", "\"x\":true"}) {
            CAPTURE(other);
            const auto fields = parse_answer(std::string("{") + other + "," + member("status", "mottatt") + "}");
            REQUIRE(fields);
            CHECK(fields.value().status == "mottatt");
        }
    }

    TEST_CASE("what is not one object, or not JSON, is refused") {
        const std::string deep = "{\"x\":" + std::string(20, '[') + std::string(20, ']') + "}";
        for (const std::string& body :
             {std::string(), std::string("null"), std::string("[]"), std::string("\"mottatt\""), std::string("1"),
              std::string("[{\"status\":\"mottatt\"}]"), std::string("{} {}"), std::string("{\"status\":\"mottatt\",}"),
              std::string("{\"status\":\"mottatt\""), std::string("{'status':'mottatt'}"), std::string("<html></html>"),
              std::string("{\"status\":\"\xff\"}"), std::string("{\"x\":\"\xc3\"}"), std::string("{}\0", 3),
              std::string("/**/{}"), std::string("{\"x\":NaN}"), deep}) {
            CAPTURE(body);
            CHECK_FALSE(parse_answer(body));
        }
        CHECK_FALSE(parse_answer("{\"x\":\"" + std::string(forward::kMaxAnswerBytes, 'x') + "\"}"));
    }

    TEST_CASE("a named member has its form and occurs once") {
        for (const std::string& inside : {member("status", ""),
                                          member("status", "to ord"),
                                          member("status", std::string(65, 'x')),
                                          std::string("\"status\":7"),
                                          std::string("\"status\":null"),
                                          std::string("\"status\":[\"mottatt\"]"),
                                          std::string("\"status\":{}"),
                                          std::string("\"status\":true"),
                                          member("kvittering", "a/b"),
                                          member("kvittering", "\\u0000"),
                                          member("kode", "\\u00e5"),
                                          member("navn", "0301"),
                                          member("navn", kName + "x"),
                                          member("sha256", std::string(64, 'A')),
                                          member("sha256", std::string(63, 'a')),
                                          member("mottatt", "i dag"),
                                          member("mottatt", "2027-02-30T09:30:00Z"),
                                          member("mottatt", "2027-01-04T09:30:00"),
                                          member("mottatt", "2027-01-04T09:30:00.Z"),
                                          member("mottatt", "2027-01-04T09:30:00.1234567890Z"),
                                          member("mottatt", "2027-01-04T09:30:00+1:00"),
                                          member("mottatt", "2027-01-04T09:30:00+24:00"),
                                          member("mottatt", "2027-01-04T09:30:00Z "),
                                          member("signatur", "AAAA"),
                                          member("signatur", std::string(87, 'A') + "="),
                                          member("signatur", std::string(86, '*') + "=="),
                                          member("status", "mottatt") + "," + member("status", "mottatt"),
                                          member("kode", "a") + "," + member("kode", "b")}) {
            CAPTURE(inside);
            CHECK_FALSE(parse_answer("{" + inside + "}"));
        }
    }

    TEST_CASE("RFC 3339 with fraction or offset is kept as it was written") {
        for (const char* time : {"2027-01-04T09:30:00.1Z", "2027-01-04T09:30:00.123456789Z",
                                 "2027-01-04T09:30:00+01:00", "2027-01-04T09:30:00.5-11:30"}) {
            CAPTURE(time);
            const auto fields = parse_answer("{" + member("mottatt", time) + "}");
            REQUIRE(fields);
            CHECK(fields.value().mottatt == time);
        }
    }

    TEST_CASE("nothing of a refused body is in the error") {
        const auto refused = parse_answer("{\"status\":\"13097248022 hemmelig\"}");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == Code::receipt_invalid);
        CHECK(refused.error().text().find("1309") == std::string::npos);
        CHECK(refused.error().text().find("hemmelig") == std::string::npos);
    }

    TEST_CASE("what each status means") {
        CHECK(kind(201, mottatt()) == Verdict::Kind::receipt);
        CHECK(kind(200, mottatt()) == Verdict::Kind::receipt);
        CHECK(kind(422, avvist()) == Verdict::Kind::receipt);
        CHECK(kind(409, "") == Verdict::Kind::receipt);
        CHECK(kind(412, "") == Verdict::Kind::receipt);
        CHECK(kind(400, "<html>") == Verdict::Kind::receipt);
        CHECK(kind(429, "") == Verdict::Kind::wait);
        CHECK(kind(503, "") == Verdict::Kind::wait);
        for (const int status : {401, 403, 404}) CHECK(kind(status, mottatt()) == Verdict::Kind::access);
        for (const int status : {204, 202, 301, 302, 307, 308, 402, 405, 408, 411, 413, 418, 500, 501, 502, 504, 999}) {
            CAPTURE(status);
            CHECK(kind(status, mottatt()) == Verdict::Kind::other);
        }
    }

    TEST_CASE("a receipt that the core could not check is none") {
        CHECK(kind(201, "") == Verdict::Kind::no_receipt);
        CHECK(kind(201, "{}") == Verdict::Kind::no_receipt);
        CHECK(kind(201, avvist()) == Verdict::Kind::no_receipt);
        CHECK(kind(422, mottatt()) == Verdict::Kind::no_receipt);
        CHECK(kind(200, mottatt(), true) == Verdict::Kind::no_receipt);
        for (const char* name : {"status", "kvittering", "navn", "sha256", "mottatt", "signatur"}) {
            CAPTURE(name);
            std::string body = mottatt();
            body.replace(body.find(std::string("\"") + name), 2, "\"_");
            CHECK(kind(201, body) == Verdict::Kind::no_receipt);
        }
        std::string without_code = avvist();
        without_code.replace(without_code.find("\"kode"), 2, "\"_");
        CHECK(kind(422, without_code) == Verdict::Kind::no_receipt);
    }

    TEST_CASE("409 and 400 take along what could be read") {
        CHECK(judge(HttpAnswer{409, "", avvist(), false}, kNow).fields.kode == "R.7");
        CHECK(judge(HttpAnswer{400, "", "tekst", false}, kNow).fields == AnswerFields{});
    }
}

}  // namespace
