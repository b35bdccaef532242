#pragma once
// Export files for the tests of this folder.

#include <string>
#include <string_view>
#include <vector>

#include "krypteringsmodul/export_reader.h"

namespace tpf::test {

inline constexpr std::string_view kHeader =
    "<Meldingstype>IPLOS</Meldingstype>\n"
    "<Avsender><Kommunenummer>0301</Kommunenummer><Bydelsnummer>00</Bydelsnummer>"
    "<Organisasjonsnummer>974761076</Organisasjonsnummer></Avsender>\n"
    "<Mottaker><Register>IPLOS</Register></Mottaker>\n"
    "<Periode><Fra>2026-01-01</Fra><Til>2026-12-31</Til></Periode>\n";

inline std::string person(std::string_view number, std::string_view content) {
    return "<Person><Fodselsnummer>" + std::string(number) + "</Fodselsnummer>" + std::string(content) + "</Person>\n";
}

inline std::string document(std::string_view header, std::string_view persons, std::string_view encoding = "UTF-8") {
    return "<?xml version=\"1.0\" encoding=\"" + std::string(encoding) + "\"?>\n<IPLOS versjon=\"3.7\">\n" +
           std::string(header) + std::string(persons) + "</IPLOS>\n";
}

/// Keeps everything it is told.
class Collector final : public krypteringsmodul::PersonSink {
  public:
    Status header(const krypteringsmodul::ExportHeader& header) override {
        headers.push_back(header);
        return ok();
    }
    Status person(krypteringsmodul::ExportPerson& person) override {
        persons.push_back(std::move(person));
        return ok();
    }
    std::vector<krypteringsmodul::ExportHeader> headers;
    std::vector<krypteringsmodul::ExportPerson> persons;
};

/// Reads `bytes` in pieces; what the sender is told, empty when all is well.
inline std::string read_export(std::string_view bytes, Collector& to, const krypteringsmodul::ReadOptions& options = {},
                               std::size_t piece = 1 << 20) {
    krypteringsmodul::ExportReader reader(to, options);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        if (auto fed = reader.feed(bytes.substr(at, piece)); !fed) return fed.error().detail();
    }
    if (auto finished = reader.finish(); !finished) return finished.error().detail();
    return {};
}

inline std::string told_of(std::string_view bytes, std::size_t piece = 1 << 20) {
    Collector ignored;
    return read_export(bytes, ignored, {}, piece);
}

}  // namespace tpf::test
