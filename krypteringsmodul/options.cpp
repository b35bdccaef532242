#include "krypteringsmodul/options.h"

#include <CLI/CLI.hpp>

#include "krypteringsmodul/sender_error.h"
#include "pseudonym/fields.h"
#include "pseudonym/utf8.h"
#include "pseudonym/xml_syntax.h"

namespace tpf::krypteringsmodul {
namespace {

constexpr std::size_t kMaxPersonMib = 4096;
constexpr std::string_view kOlderTransport = "rsa-oaep-mgf1p";

/// As typed.
struct Raw {
    std::string iplos, nokler, epost, navn, mobil, ut, meldingsid, nokkeltransport, rot;
    std::size_t maks_person_mib = 64;
};

void describe(CLI::App& app, Raw& raw) {
    app.set_version_flag("--versjon,--version", "tpf-krypt " TPF_VERSION, "Vis programmets versjon");
    app.set_help_flag("-h,--help,--hjelp", "Vis denne hjelpen");
    app.footer(
        "Siste linje på standard ut er «Antall personer: N». Feil skrives på standard feil; da er avslutningskoden 1\n"
        "og ingen kryptert fil er laget. Se tpf-krypt(1) og docs/krypteringsmodul.md.");
    // An option without its value is a missing one, and has its own text.
    const auto text = [&app](const char* name, std::string& to, const char* what, const char* type) {
        app.add_option(name, to, what)
            ->expected(0, 1)
            ->type_name(type)
            ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    };
    text("--iplos", raw.iplos, "IPLOS eksportfil som skal krypteres (UTF-8, UTF-16 med BOM eller ISO-8859-1)", "FIL");
    text("--nokler", raw.nokler, "Nøkkelfil som TPF har publisert", "FIL");
    // Never without its value: a sender who wants signatures must not go without them.
    app.add_option("--rot", raw.rot,
                   "Rotnøklene som TPF og registeret har utlevert: nøkkelfilen må være signert med dem")
        ->type_name("FIL")
        ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
        ->check([](const std::string& value) { return value.empty() ? std::string("tom") : std::string(); });
    text("--epost", raw.epost, "Kontaktpersonens e-postadresse", "ADRESSE");
    text("--navn", raw.navn, "Kontaktpersonens navn", "NAVN");
    text("--mobil", raw.mobil, "Kontaktpersonens mobiltelefonnummer", "NUMMER");
    text("--ut", raw.ut, "Kryptert fil som skal lages; en eldre fil med samme navn erstattes bare når alt gikk bra",
         "FIL");
    text("--meldingsid", raw.meldingsid, "Meldingens id, en UUID versjon 4 (ellers trekkes en ny)", "UUID");
    text("--nokkeltransport", raw.nokkeltransport,
         "rsa-oaep-mgf1p: eldre form for mottakere som ikke kan rsa-oaep (XML Encryption 1.1)", "FORM");
    app.add_option("--maks-person-mib", raw.maks_person_mib, "Største innhold for én person, i MiB (1 til 4096)")
        ->type_name("TALL")
        ->capture_default_str();
}

Error usage_error(const CLI::ParseError& error) {
    std::string text = "Kommandolinjen er ikke gyldig";
    switch (static_cast<CLI::ExitCodes>(error.get_exit_code())) {
        case CLI::ExitCodes::ExtrasError:
            text = "Ukjent valg eller for mange verdier på kommandolinjen";
            break;
        case CLI::ExitCodes::ConversionError:
        case CLI::ExitCodes::ValidationError:
            text = "Et valg på kommandolinjen har feil verdi";
            break;
        case CLI::ExitCodes::ArgumentMismatch:
            text = "Et valg på kommandolinjen mangler verdi eller står flere ganger";
            break;
        default:
            break;
    }
    return feil(Code::usage, text + ". Se tpf-krypt --help.");
}

Error contact_error(std::string_view field, std::string_view rule) {
    return feil(Code::field_form, std::string(field) + " " + std::string(rule) + ".");
}

/// Characters that the message could not hold.
bool is_xml_text(std::string_view text) {
    while (!text.empty()) {
        const auto next = pseudonym::decode_utf8(text);
        if (next.size == 0 || !pseudonym::is_xml_char(next.code_point)) return false;
        text.remove_prefix(next.size);
    }
    return true;
}

Result<Contact> parse_contact(const Raw& raw) {
    const std::string epost(pseudonym::trim_xml_space(raw.epost));
    const std::string navn(pseudonym::trim_xml_space(raw.navn));
    const std::string_view mobil = pseudonym::trim_xml_space(raw.mobil);
    if (epost.empty() || navn.empty() || mobil.empty()) return fail(told(Code::usage, kNoContact));
    if (!is_xml_text(epost) || !pseudonym::check_epost(epost)) {
        return fail(contact_error("E-postadressen", "skal ha ett @-tegn, høyst 254 tegn og ikke noe fødselsnummer"));
    }
    if (!is_xml_text(navn) || !pseudonym::check_navn(navn)) {
        return fail(contact_error("Navnet", "skal ha 1 til 200 tegn i UTF-8, uten styretegn og fødselsnummer"));
    }
    auto number = pseudonym::parse_mobiltelefon(mobil);
    if (!number)
        return fail(contact_error("Mobiltelefonnummeret", "skal være åtte siffer, eventuelt med +47 eller 0047 foran"));
    return Contact{epost, navn, std::move(number).value()};
}

Result<Options> check(const Raw& raw) {
    if (raw.iplos.empty()) return fail(told(Code::usage, kNoExport));
    if (raw.ut.empty()) return fail(told(Code::usage, kNoOutput));
    if (raw.nokler.empty()) return fail(told(Code::usage, kNoKeyFile));
    TPF_TRY(auto contact, parse_contact(raw));
    auto id = raw.meldingsid.empty() ? Result<MeldingsId>(MeldingsId::random()) : MeldingsId::parse(raw.meldingsid);
    if (!id) return fail(feil(Code::usage, "--meldingsid skal være en UUID versjon 4 med små bokstaver."));
    Options options{raw.iplos, raw.ut, raw.nokler, std::move(contact), id.value()};
    if (raw.nokkeltransport == kOlderTransport) {
        options.transport = crypto::KeyTransport::oaep_mgf1p_sha1;
    } else if (!raw.nokkeltransport.empty()) {
        return fail(feil(Code::usage, "--nokkeltransport kan bare være rsa-oaep-mgf1p."));
    }
    if (raw.maks_person_mib < 1 || raw.maks_person_mib > kMaxPersonMib) {
        return fail(feil(Code::usage, "--maks-person-mib skal være et tall fra 1 til 4096."));
    }
    options.roots = raw.rot;
    options.max_person_bytes = raw.maks_person_mib << 20;
    return options;
}

}  // namespace

Result<std::optional<Options>> parse_options(int argc, const char* const* argv, std::string& shown) {
    Raw raw;
    CLI::App app("Krypteringsmodul: krypterer en IPLOS eksportfil for innsending gjennom TPF.", "tpf-krypt");
    try {
        describe(app, raw);
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        shown = app.help();
        return std::optional<Options>();
    } catch (const CLI::CallForVersion& version) {
        shown = std::string(version.what()) + "\n";
        return std::optional<Options>();
    } catch (const CLI::ParseError& error) {
        return fail(usage_error(error));
    }
    TPF_TRY(auto options, check(raw));
    return std::optional<Options>(std::move(options));
}

}  // namespace tpf::krypteringsmodul
