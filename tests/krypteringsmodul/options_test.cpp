// The command line: what is required, in which order it is asked for, and what the sender reads.

#include "krypteringsmodul/options.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

using namespace tpf;
using namespace tpf::krypteringsmodul;

TEST_SUITE_BEGIN("krypteringsmodul/options");

namespace {

using Arguments = std::map<std::string, std::string>;
const Arguments kAll = {{"--iplos", "a.xml"}, {"--nokler", "n.txt"},       {"--epost", "kari@kommune.example"},
                        {"--navn", "Kari"},   {"--mobil", "+47 99999999"}, {"--ut", "u.xml"}};

Result<std::optional<Options>> parse(const std::vector<std::string>& words, std::string& shown) {
    std::vector<const char*> argv = {"tpf-krypt"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    return parse_options(static_cast<int>(argv.size()), argv.data(), shown);
}

Result<std::optional<Options>> parse(const Arguments& arguments) {
    std::vector<std::string> words;
    for (const auto& [name, value] : arguments) {
        words.push_back(name);
        words.push_back(value);
    }
    std::string shown;
    return parse(words, shown);
}

std::string told_with(const std::string& name, const std::string& value) {
    Arguments arguments = kAll;
    arguments[name] = value;
    const auto parsed = parse(arguments);
    return parsed ? std::string() : parsed.error().detail();
}

std::string told_without(const std::string& name) {
    Arguments arguments = kAll;
    arguments.erase(name);
    const auto parsed = parse(arguments);
    return parsed ? std::string() : parsed.error().detail();
}

}  // namespace

TEST_CASE("all that is needed") {
    const auto parsed = parse(kAll);
    REQUIRE(parsed);
    REQUIRE(parsed.value());
    const Options& options = *parsed.value();
    CHECK(options.export_file == "a.xml");
    CHECK(options.key_file == "n.txt");
    CHECK(options.output == "u.xml");
    CHECK(options.contact.epost == "kari@kommune.example");
    CHECK(options.contact.mobiltelefon == "+4799999999");
    CHECK(options.transport == crypto::KeyTransport::oaep_sha256_mgf1_sha256);
    CHECK(options.max_person_bytes == std::size_t{64} << 20);
    const auto again = parse(kAll);
    REQUIRE(again);
    CHECK(again.value()->meldings_id != options.meldings_id);
}

TEST_CASE("missing and empty ones, in the old program's words") {
    const std::pair<const char*, const char*> texts[] = {
        {"--iplos", "IPLOS datafil mangler"},
        {"--ut", "Kryptert IPLOS fil mangler"},
        {"--nokler", "Nøkkelfil mangler"},
        {"--epost", "E-post adresse/Navn/MobilTelefonnr mangler"},
        {"--navn", "E-post adresse/Navn/MobilTelefonnr mangler"},
        {"--mobil", "E-post adresse/Navn/MobilTelefonnr mangler"},
    };
    for (const auto& entry : texts) {
        const char* name = entry.first;  // clang captures no structured binding
        const char* text = entry.second;
        CAPTURE(std::string(name));
        CHECK(told_without(name) == text);
        CHECK(told_with(name, "") == text);
        std::string shown;
        std::vector<std::string> words;
        for (const auto& [other, value] : kAll) {
            if (other == name) continue;
            words.push_back(other);
            words.push_back(value);
        }
        words.push_back(name);
        const auto valueless = parse(words, shown);
        REQUIRE(!valueless);
        CHECK(valueless.error().detail() == text);
    }
    CHECK(told_with("--navn", "  ") == "E-post adresse/Navn/MobilTelefonnr mangler");
    std::string shown;
    const auto nothing = parse(std::vector<std::string>(), shown);
    REQUIRE(!nothing);
    CHECK(nothing.error().detail() == "IPLOS datafil mangler");
}

TEST_CASE("values that are wrong, never repeated") {
    const std::string epost = "Feil: E-postadressen skal ha ett @-tegn, høyst 254 tegn og ikke noe fødselsnummer.";
    const std::string navn = "Feil: Navnet skal ha 1 til 200 tegn i UTF-8, uten styretegn og fødselsnummer.";
    CHECK(told_with("--epost", "kari") == epost);
    CHECK(told_with("--epost", "13097248022@kommune.example") == epost);
    CHECK(told_with("--epost", "k\xe5ri@kommune.example") == epost);
    CHECK(told_with("--navn", "Kari 13097248022") == navn);
    CHECK(told_with("--navn", std::string(201, 'x')) == navn);
    CHECK(told_with("--navn", "Kari\xef\xbf\xbf") == navn);
    CHECK(told_with("--mobil", "9999999") ==
          "Feil: Mobiltelefonnummeret skal være åtte siffer, eventuelt med +47 eller 0047 foran.");
    CHECK(told_with("--meldingsid", "7F1C0C2E-6C3B-4F0E-9A35-0C6A3F4D2B11") ==
          "Feil: --meldingsid skal være en UUID versjon 4 med små bokstaver.");
    CHECK(told_with("--meldingsid", "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11") == "");
    CHECK(told_with("--nokkeltransport", "rsa-1_5") == "Feil: --nokkeltransport kan bare være rsa-oaep-mgf1p.");
    CHECK(told_with("--nokkeltransport", "rsa-oaep-mgf1p") == "");
    CHECK(told_with("--maks-person-mib", "0") == "Feil: --maks-person-mib skal være et tall fra 1 til 4096.");
    CHECK(told_with("--maks-person-mib", "mange") ==
          "Feil: Et valg på kommandolinjen har feil verdi. Se tpf-krypt --help.");
    CHECK(told_with("--ukjent", "1") ==
          "Feil: Ukjent valg eller for mange verdier på kommandolinjen. Se tpf-krypt --help.");
}

TEST_CASE("help and version") {
    std::string shown;
    const auto help = parse({"--help"}, shown);
    REQUIRE(help);
    CHECK(!help.value());
    CHECK(shown.find("Kontaktpersonens navn") != std::string::npos);
    CHECK(shown.find("Antall personer: N") != std::string::npos);
    const auto version = parse({"--version"}, shown);
    REQUIRE(version);
    CHECK(!version.value());
    CHECK(shown.starts_with("tpf-krypt "));
}

TEST_SUITE_END();
