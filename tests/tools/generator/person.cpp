#include "tests/tools/generator/person.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace tpf::generator {
namespace {

/// The 17 function variables of IPLOS.
constexpr std::string_view kVariables[] = {"SkaffeVarerOgTjenester",
                                           "Husarbeid",
                                           "LageMat",
                                           "PersonligHygiene",
                                           "PaaOgAvkledning",
                                           "Toalett",
                                           "Spise",
                                           "BevegeInne",
                                           "BevegeUte",
                                           "EgenHelse",
                                           "Hukommelse",
                                           "Kommunikasjon",
                                           "Beslutninger",
                                           "SosialDeltakelse",
                                           "StyreAtferd",
                                           "Syn",
                                           "Horsel"};

struct Service {
    std::string_view code;
    unsigned most_hours;  ///< a week; 0: a place in an institution, counted in days
};
constexpr Service kServices[] = {{"01", 20}, {"02", 12}, {"03", 60}, {"04", 8},  {"05", 30}, {"06", 7},  {"07", 1},
                                 {"09", 25}, {"11", 0},  {"12", 10}, {"13", 35}, {"15", 28}, {"16", 15}, {"17", 0},
                                 {"18", 0},  {"19", 0},  {"21", 0},  {"22", 0},  {"24", 5},  {"27", 3}};

constexpr std::string_view kIcpc2[] = {"A04", "A28", "B82", "D94", "F83", "F92", "F93", "H86", "K74", "K77", "K78",
                                       "K86", "K89", "K90", "L75", "L84", "L88", "L89", "L90", "L95", "N86", "N87",
                                       "N88", "P15", "P70", "P72", "P74", "P76", "P85", "R95", "R96", "S97", "T90"};
constexpr std::string_view kIcd10[] = {"C50.9", "E10.9", "E11.9", "F00.1", "F01.9", "F20.0", "F32.1", "F41.2",
                                       "F71.0", "F84.0", "G20",   "G30.1", "G35",   "G40.9", "G80.9", "I10",
                                       "I25.9", "I48.9", "I50.9", "I63.9", "I69.3", "J44.9", "M05.9", "M16.9",
                                       "M17.9", "M81.9", "N18.5", "S72.0", "S72.1", "Z99.3"};

constexpr std::string_view kSentences[] = {
    "Bruker trenger hjelp til å få på støttestrømper hver morgen.",
    "Pårørende ønsker møte før neste vurdering av behovet.",
    "Behovet er uendret siden forrige kartlegging.",
    "Går med rullator inne, bruker rullestol på lengre turer.",
    "Vedtaket gjelder også helger og høytider.",
    "Har trygghetsalarm; tester den første mandag i måneden.",
    "Spiser selv når maten er tilrettelagt &amp; delt opp.",
    "Søvnen er dårlig, våken 3&#8211;4 ganger hver natt.",
    "Ernæring følges opp: vekt &lt; 50 kg ved siste måling.",
    "Årlig legemiddelgjennomgang er gjort sammen med fastlege.",
    "Ønsker plass på dagsenter to dager i uken.",
    "Fallfare. Terskler er fjernet, håndløpere er montert.",
    "Hjemmesykepleien ser til sår på venstre fot annenhver dag.",
    "Tåler ikke sterkt lys; bruker ordet \"blende\" om det.",
    "Språk: samisk og norsk. Tolk er ikke nødvendig.",
};

template <class Table>
const auto& one_of(const Table& table, Random& random) {
    return table[random.below(static_cast<unsigned>(std::size(table)))];
}

void append(std::string& out, unsigned value, unsigned digits) {
    char text[10];
    for (unsigned i = digits; i-- > 0; value /= 10) text[i] = static_cast<char>('0' + value % 10);
    out.append(text, digits);
}

/// Some day of that year's `first` month or one of the `months` - 1 that follow.
void append_date(std::string& out, unsigned year, Random& random, unsigned first = 1, unsigned months = 12) {
    append(out, year, 4);
    out += '-';
    append(out, first + random.below(months), 2);
    out += '-';
    append(out, 1 + random.below(28), 2);
}

void append_leaf(std::string& out, std::string_view name, unsigned value, unsigned digits) {
    out.append("<").append(name).append(">");
    append(out, value, digits);
    out.append("</").append(name).append(">");
}

void append_situation(std::string& out, const PersonOptions& options, Random& random) {
    out += "\n   <Brukeropplysninger>";
    append_leaf(out, "Kjonn", 1 + random.below(2), 1);
    append_leaf(out, "Husstand", 1 + random.below(3), 1);
    append_leaf(out, "Bosituasjon", 1 + random.below(9), 1);
    append_leaf(out, "Boligtype", 1 + random.below(9), 1);
    append_leaf(out, "LegeBesokt", random.below(2), 1);
    out += "<SistKartlagt>";
    append_date(out, options.year, random);
    out += "</SistKartlagt></Brukeropplysninger>";
}

void append_variables(std::string& out, const PersonOptions& options, Random& random) {
    const unsigned worst = 2 + random.below(4);  // people are frail as a whole, not in each variable by itself
    out += "\n   <Funksjonsvariabler>";
    for (const std::string_view variable : kVariables) {
        out.append("\n    <Variabel navn=\"").append(variable).append("\"><Grad>");
        append(out, random.one_in(40) ? 9 : 1 + random.below(worst), 1);  // 9: not relevant
        out += "</Grad><Dato>";
        append_date(out, options.year, random);
        out += "</Dato></Variabel>";
    }
    out += "\n   </Funksjonsvariabler>";
}

void append_diagnoses(std::string& out, Random& random) {
    out += "\n   <Diagnoser>";
    for (unsigned left = random.below(5); left-- > 0;) {
        const bool icd = random.one_in(3);
        out += icd ? "\n    <Diagnose kodeverk=\"ICD-10\">" : "\n    <Diagnose kodeverk=\"ICPC-2\">";
        out += icd ? one_of(kIcd10, random) : one_of(kIcpc2, random);
        out += "</Diagnose>";
    }
    out += "\n   </Diagnoser>";
}

void append_service(std::string& out, const PersonOptions& options, Random& random) {
    const Service& service = one_of(kServices, random);
    out.append("\n    <Tjeneste kode=\"").append(service.code).append("\"><Vedtaksdato>");
    const bool began_before = random.one_in(2);
    append_date(out, options.year - 1, random, 1, 6);  // decided, begun, ended, in that order
    out += "</Vedtaksdato><StartDato>";
    append_date(out, options.year - (began_before ? 1 : 0), random, began_before ? 7 : 1, 6);
    out += "</StartDato>";
    if (random.one_in(3)) {
        out += "<SluttDato>";
        append_date(out, options.year, random, 7, 6);
        out += "</SluttDato>";
    }
    if (service.most_hours == 0) {
        append_leaf(out, "Dogn", 1 + random.below(365), 3);
    } else {
        out += "<TimerPerUke>";
        append(out, random.below(service.most_hours), 2);
        out += random.one_in(2) ? ",50" : ",00";
        out += "</TimerPerUke>";
    }
    out += random.one_in(5) ? "<Utforer>Privat</Utforer></Tjeneste>" : "<Utforer>Kommunal</Utforer></Tjeneste>";
}

void append_services(std::string& out, const PersonOptions& options, Random& random) {
    out += "\n   <Tjenester>";
    for (unsigned left = 1 + random.below(7); left-- > 0;) append_service(out, options, random);
    out += "\n   </Tjenester>";
}

/// Now and then what well-formed XML allows and few files have.
void append_remarks(std::string& out, Random& random) {
    out += "\n   <Merknad>";
    for (unsigned left = 1 + random.below(4); left-- > 0;) out.append(one_of(kSentences, random)).append(" ");
    if (random.one_in(50)) out += "<![CDATA[Målt 5 < 6 & \"ok\"]]>";
    if (random.one_in(50)) out += "<!-- overført fra eldre journal -->";
    out += "</Merknad>";
    if (random.one_in(50)) out += "\n   <e:Tillegg xmlns:e='urn:eksempel:epj' e:kilde='journal'/>";
}

constexpr std::string_view kEnd = "\n  ";
constexpr std::string_view kFillerStart = "<Merknad>";
constexpr std::string_view kFillerEnd = "</Merknad>";

/// `size` bytes, all of it: sentences, then single letters where no whole sentence fits.
void append_filler(std::string& out, std::size_t size, Random& random) {
    out += kFillerStart;
    std::size_t left = size - kFillerStart.size() - kFillerEnd.size();
    while (left > 0) {
        const std::string_view sentence = one_of(kSentences, random);
        if (sentence.size() < left) {
            out.append(sentence).append(" ");
            left -= sentence.size() + 1;
        } else {
            out.append(left, 'x');
            left = 0;
        }
    }
    out += kFillerEnd;
}

}  // namespace

void append_person(std::string& out, const PersonOptions& options, Random& random) {
    const std::size_t start = out.size();
    const std::size_t room = options.bytes == 0 ? ~std::size_t{0} : options.bytes - kEnd.size() - 32;
    const auto block = [&](auto write) {
        const std::size_t before = out.size();
        write();
        if (out.size() - start > room) out.resize(before);
    };
    block([&] { append_situation(out, options, random); });
    block([&] { append_diagnoses(out, random); });
    block([&] { append_services(out, options, random); });
    block([&] { append_variables(out, options, random); });
    block([&] { append_remarks(out, random); });
    if (options.bytes != 0) append_filler(out, options.bytes - (out.size() - start) - kEnd.size(), random);
    out += kEnd;
}

}  // namespace tpf::generator
