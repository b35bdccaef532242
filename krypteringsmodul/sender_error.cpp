#include "krypteringsmodul/sender_error.h"

#include "pseudonym/identity_number.h"

namespace tpf::krypteringsmodul {

Error told(Code code, std::string_view text) {
    return Error(code, std::string(text));
}

Error feil(Code code, std::string_view text) {
    return Error(code, "Feil: " + std::string(text));
}

Error missing_field(std::string_view path) {
    return Error(Code::header, "IPLOS filen er mangelfull: Følgende felt mangler " + std::string(path));
}

Error mismatched_tags(std::string_view start, std::uint64_t start_line, std::string_view end, std::uint64_t end_line) {
    return Error(Code::not_xml, "Feil i innholdet i IPLOS filen: Starten på feltet " + shown(start) + " på linje " +
                                    std::to_string(start_line) + " stemmer ikke med avslutningen " + shown(end) +
                                    " på linje " + std::to_string(end_line) + ".");
}

std::string on_line(std::uint64_t line) {
    return " (linje " + std::to_string(line) + ")";
}

std::string shown(std::string_view tag_name) {
    return pseudonym::holds_identity_number(tag_name) ? "(skjult)" : std::string(tag_name);
}

Error file_error(const Error& error, std::string_view what) {
    std::string text(what);
    switch (error.code()) {
        case Code::disk_full:
            text += ": det er ikke plass på disken.";
            break;
        case Code::not_found:
            text += ": filen eller mappen finnes ikke.";
            break;
        case Code::fsync_failed:
            text += ": disken meldte feil da innholdet skulle lagres.";
            break;
        default:
            text += ". Kontroller rettigheter og disk.";
    }
    return feil(error.code(), text);
}

}  // namespace tpf::krypteringsmodul
