#include "queue/records.h"

#include <doctest/doctest.h>

#include "tests/queue/fixtures.h"

namespace tpf::queue::test {
namespace {

SpoolId id() {
    return get(SpoolId::parse("1b4e28ba-2fa1-4d3b-a3f5-0c6a3f4d2b11"));
}

KildeRecord kilde() {
    return {id(), "drop", sender(), "", "", get(parse_utc("2027-01-04T09:31:07Z")), 48213, digest_of("melding")};
}
PostRecord post() {
    return {id(), name_of(kMeldingsId), iplos(), 51200, digest_of("ut"), kSignature};
}
SvarRecord svar() {
    SvarRecord record{.id = id(), .http_status = 201, .answered = get(parse_utc("2027-01-04T09:32:00Z"))};
    record.status = "mottatt";
    record.kvittering = "R-1";
    record.navn = name_of(kMeldingsId).str();
    record.sha256 = digest_of("ut");
    record.mottatt = "2027-01-04T09:32:00Z";
    record.signature = kSignature;
    return record;
}

/// Seals any JSON text as a record would be: what a broken source could hand over.
std::string sealed(std::string_view object) {
    std::string text(object.substr(0, object.size() - 1));
    const std::string digest = digest_of(text);
    return text + ",\"slutt\":\"" + digest + "\"}\n";
}

template <class Parse>
void every_damage_is_seen(const std::string& text, Parse parse) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        CHECK_FALSE(parse(text.substr(0, i)).has_value());
        for (int bit = 0; bit < 8; ++bit) {
            std::string damaged = text;
            damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
            CHECK_FALSE(parse(damaged).has_value());
        }
    }
    CHECK_FALSE(parse(text + "\n").has_value());
}

}  // namespace

TEST_SUITE("queue/records") {
    TEST_CASE("kilde.json is written as documented and read back") {
        const std::string text = get(write_kilde(kilde()));
        CHECK(text.starts_with(
            R"({"form":"tpf-kilde-1","id":"1b4e28ba-2fa1-4d3b-a3f5-0c6a3f4d2b11","kilde":"drop",)"
            R"("avsender":"0301-00-974761076","mottatt":"2027-01-04T09:31:07Z","lengde":48213,"sha256":")"));
        CHECK(text.ends_with("\"}\n"));
        const KildeRecord back = get(parse_kilde(text));
        CHECK(back.sender == sender());
        CHECK(back.size == 48213);
        CHECK(back.reason.empty());
    }

    TEST_CASE("operator and reason come together, in UTF-8") {
        KildeRecord record = kilde();
        record.operator_name = "kari";
        CHECK(code_of(write_kilde(record)) == Code::record_form);
        record.reason = "sendt på nytt etter feil hos Å";
        CHECK(get(parse_kilde(get(write_kilde(record)))).reason == record.reason);
        record.reason = "linje\nskift";
        CHECK(code_of(write_kilde(record)) == Code::record_form);
        record.reason = "\xff";
        CHECK(code_of(write_kilde(record)) == Code::record_form);
    }

    TEST_CASE("post.json and svar.json are read back") {
        const PostRecord sent = get(parse_post(get(write_post(post()))));
        CHECK(sent.name == post().name);
        CHECK(sent.to == iplos());
        CHECK(sent.signature == kSignature);
        const SvarRecord answer = get(parse_svar(get(write_svar(svar()))));
        CHECK(answer.http_status == 201);
        CHECK(answer.kvittering == "R-1");
        CHECK(answer.signature == kSignature);
        CHECK_FALSE(answer.kode.has_value());
    }

    TEST_CASE("a cut or one turned bit anywhere is seen") {
        every_damage_is_seen(get(write_kilde(kilde())), [](std::string_view t) { return parse_kilde(t); });
        every_damage_is_seen(get(write_post(post())), [](std::string_view t) { return parse_post(t); });
        every_damage_is_seen(get(write_svar(svar())), [](std::string_view t) { return parse_svar(t); });
    }

    TEST_CASE("damage and a wrong form have different codes") {
        std::string text = get(write_kilde(kilde()));
        text[20] = static_cast<char>(text[20] ^ 1);
        CHECK(code_of(parse_kilde(text)) == Code::record_damaged);
        CHECK(code_of(parse_kilde("")) == Code::record_damaged);
        CHECK(code_of(parse_kilde(get(write_post(post())))) == Code::record_form);
        CHECK(code_of(parse_kilde(sealed(R"({"form":"tpf-kilde-1"})"))) == Code::record_form);
    }

    TEST_CASE("sealed rightly but not in the one form: repeated, unknown or reordered members, white space") {
        const std::string good_text = get(write_kilde(kilde()));
        std::string object = good_text.substr(0, good_text.find(",\"slutt\"")) + "}";
        CHECK(parse_kilde(sealed(object)).has_value());
        const auto with = [&object](std::string_view from, std::string_view to) {
            std::string changed = object;
            changed.replace(changed.find(from), from.size(), to);
            return sealed(changed);
        };
        CHECK(code_of(parse_kilde(with("\"lengde\":48213", "\"lengde\":48213,\"lengde\":48213"))) == Code::record_form);
        CHECK(code_of(parse_kilde(with("\"lengde\":48213", "\"lengde\":48213,\"mer\":1"))) == Code::record_form);
        CHECK(code_of(parse_kilde(with("\"lengde\":48213", "\"lengde\": 48213"))) == Code::record_form);
        CHECK(code_of(parse_kilde(with("\"lengde\":48213", "\"lengde\":48213.0"))) == Code::record_form);
        CHECK(code_of(parse_kilde(with("\"lengde\":48213", "\"lengde\":-1"))) == Code::record_form);
        CHECK(code_of(parse_kilde(with("\"kilde\":\"drop\"", "\"kilde\":\"../x\""))) == Code::record_form);
        CHECK(code_of(parse_kilde(with("0301-00-974761076", "0301-00-974761077"))) == Code::record_form);
    }

    TEST_CASE("other text of a register's answer is not kept") {
        SvarRecord record = svar();
        record.kvittering = "not a token: 13097248022 was here";
        record.mottatt = "yesterday";
        record.status = std::string(65, 'a');
        const std::string text = get(write_svar(record));
        CHECK(text.find("13097248022") == text.npos);
        const SvarRecord back = get(parse_svar(text));
        CHECK_FALSE(back.kvittering.has_value());
        CHECK_FALSE(back.mottatt.has_value());
        CHECK_FALSE(back.status.has_value());
        CHECK(back.navn.has_value());
    }

    TEST_CASE("the forwarder's own finding travels by its stable name") {
        SvarRecord record{.id = id(), .http_status = 0, .answered = get(parse_utc("2027-01-04T09:32:00Z"))};
        record.trouble = Code::record_damaged;
        const std::string text = get(write_svar(record));
        CHECK(text.find("\"feil\":\"SPOOL_SKADET\"") != text.npos);
        CHECK(get(parse_svar(text)).trouble == Code::record_damaged);
    }

    TEST_CASE("how the registers stand") {
        const std::vector<RegisterHealth> registers{
            {iplos(), Code::register_away, get(parse_utc("2027-01-04T09:32:00Z")), 7},
            {get(RegisterName::parse("KPR")), std::nullopt, get(parse_utc("2027-01-04T10:00:00Z")), 0}};
        const auto back = get(parse_health(get(write_health(registers))));
        REQUIRE(back.size() == 2);
        CHECK(back[0].trouble == Code::register_away);
        CHECK(back[0].attempts == 7);
        CHECK_FALSE(back[1].trouble.has_value());
    }

    TEST_CASE("names of sources") {
        CHECK(is_source_name("drop-2"));
        for (const char* bad : {"", "Drop", "2drop", "..", "a/b", "a_b", "abcdefghijklmnopqrstuvwxyzabcdefg"}) {
            CHECK_FALSE(is_source_name(bad));
        }
    }
}

}  // namespace tpf::queue::test
