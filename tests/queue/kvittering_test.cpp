#include "queue/kvittering.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/queue/fixtures.h"

namespace tpf::queue::test {
namespace {

MessageRow basic() {
    MessageRow row(SpoolId::random());
    row.source = "drop";
    row.sender = sender();
    row.received = get(parse_utc("2027-01-04T09:31:07Z"));
    return row;
}
MessageRow passed(State state) {
    MessageRow row = basic();
    row.state = state;
    row.name = name_of(kMeldingsId);
    row.persons = 2;
    return row;
}
MessageRow quarantined(Code code) {
    MessageRow row = basic();
    row.state = State::quarantined;
    row.code = code;
    return row;
}

}  // namespace

TEST_SUITE("queue/kvittering") {
    TEST_CASE("delivered, every member, in the format's order") {
        MessageRow row = passed(State::delivered);
        const PersonMarks marks = marks_of({{17, PersonMarks::Kode::e31}, {20, PersonMarks::Kode::e30}});
        row.delivered = get(parse_utc("2027-01-04T09:32:00Z"));
        row.register_kvittering = "R-1";
        CHECK(
            kvittering_json(row, nullptr, marks) ==
            R"({"meldingsId":"7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11","avsender":"0301-00-974761076","status":"levert",)"
            R"("mottatt":"2027-01-04T09:31:07Z","levert":"2027-01-04T09:32:00Z","antallPersoner":2,)"
            R"("utenPseudonym":[{"person":17,"kode":"E31"},{"person":20,"kode":"E30"}],"registerKvittering":"R-1"})"
            "\n");
    }

    TEST_CASE("all are told, however many, in pieces that stay small") {
        PersonMarks marks;
        for (std::uint64_t person = 1; person <= 100'000; ++person) marks.mark(person, PersonMarks::Kode::e31);
        std::string json;
        std::size_t largest = 0;
        good(write_kvittering(passed(State::delivered), nullptr, marks, [&](std::string_view piece) {
            largest = std::max(largest, piece.size());
            json.append(piece);
            return ok();
        }));
        CHECK(largest < 70'000);
        const auto parsed = nlohmann::json::parse(json);
        REQUIRE(parsed["utenPseudonym"].size() == 100'000);
        CHECK(parsed["utenPseudonym"][99'999]["person"] == 100'000);
        CHECK(json == kvittering_json(passed(State::delivered), nullptr, marks));
    }

    TEST_CASE("an error of the file ends the writing") {
        const auto full = [](std::string_view) -> Status { return fail(Code::disk_full); };
        CHECK(write_kvittering(basic(), nullptr, {}, full).error().code() == Code::disk_full);
    }

    TEST_CASE("refused for good, with the catalogue's bokmål") {
        CHECK(kvittering_json(quarantined(Code::decryption), nullptr) ==
              R"({"avsender":"0301-00-974761076","status":"avvist","mottatt":"2027-01-04T09:31:07Z",)"
              R"("feil":{"kode":"DEKRYPTERING","melding":"Meldingen kunne ikke dekrypteres."}})"
              "\n");
    }

    TEST_CASE("avvist for exactly the codes that are final") {
        for (const CodeInfo& code : all_codes()) {
            const std::string json = kvittering_json(quarantined(code.code), nullptr);
            const bool refused = json.find("\"status\":\"avvist\"") != std::string::npos;
            CHECK_MESSAGE(refused == code.final_, code.name);
            CHECK((refused || json.find("\"status\":\"under behandling\"") != std::string::npos));
            CHECK((json.find("\"feil\"") != std::string::npos) == !code.sender.empty());
        }
    }

    TEST_CASE("waiting, held and discarded") {
        CHECK(kvittering_json(passed(State::committed), nullptr).find("under behandling") != std::string::npos);
        MessageRow held = passed(State::held);
        held.code = Code::on_hold;
        const std::string json = kvittering_json(held, nullptr);
        CHECK(json.find("under behandling") != std::string::npos);
        CHECK(json.find("feil") == std::string::npos);
        MessageRow discarded = quarantined(Code::unknown_key);
        discarded.state = State::discarded;
        const std::string gone = kvittering_json(discarded, nullptr);
        CHECK(gone.find("\"status\":\"avvist\"") != std::string::npos);
        CHECK(gone.find("\"kode\":\"FORKASTET\"") != std::string::npos);
    }

    TEST_CASE("a code of an earlier quarantine is not told once the message went on") {
        MessageRow row = passed(State::delivered);
        row.code = Code::unknown_key;
        CHECK(kvittering_json(row, nullptr).find("feil") == std::string::npos);
    }

    TEST_CASE("a duplicate is answered as its original, with its own time of receipt") {
        MessageRow original = passed(State::delivered);
        original.delivered = get(parse_utc("2027-01-04T09:32:00Z"));
        original.register_kvittering = "R-1";
        MessageRow row = basic();
        row.state = State::duplicate;
        row.received = get(parse_utc("2027-01-05T12:00:00Z"));
        const std::string json = kvittering_json(row, &original);
        CHECK(json.find("\"status\":\"levert\"") != std::string::npos);
        CHECK(json.find("\"mottatt\":\"2027-01-05T12:00:00Z\"") != std::string::npos);
        CHECK(json.find("\"registerKvittering\":\"R-1\"") != std::string::npos);
    }

    TEST_CASE("nobody was authenticated and nothing was read") {
        MessageRow row = quarantined(Code::not_xml);
        row.sender.reset();
        CHECK(kvittering_json(row, nullptr).starts_with(R"({"status":"avvist","mottatt":)"));
    }
}

}  // namespace tpf::queue::test
