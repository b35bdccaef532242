#include "krypteringsmodul/export_header.h"

#include <algorithm>

#include "base/clock.h"
#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {
namespace {

struct FieldRow {
    std::string_view name;
    std::size_t parent;
    std::string_view path;
    std::string_view rule;
};
using F = HeaderFields;
constexpr std::string_view kDateRule = "skal være en dato på formen ÅÅÅÅ-MM-DD";
constexpr std::array<FieldRow, F::count> kRows = {{
    {"Meldingstype", F::kTop, "IPLOS\\Meldingstype", "skal være IPLOS eller KPR"},
    {"Avsender", F::kTop, "IPLOS\\Avsender", {}},
    {"Kommunenummer", F::avsender, "IPLOS\\Avsender\\Kommunenummer", "skal være fire siffer"},
    {"Bydelsnummer", F::avsender, "IPLOS\\Avsender\\Bydelsnummer", "skal være to siffer"},
    {"Organisasjonsnummer", F::avsender, "IPLOS\\Avsender\\Organisasjonsnummer",
     "skal være ni siffer med gyldig kontrollsiffer"},
    {"Mottaker", F::kTop, "IPLOS\\Mottaker", {}},
    {"Register", F::mottaker, "IPLOS\\Mottaker\\Register", "skal være to til tolv store bokstaver A-Z"},
    {"Periode", F::kTop, "IPLOS\\Periode", {}},
    {"Fra", F::periode, "IPLOS\\Periode\\Fra", kDateRule},
    {"Til", F::periode, "IPLOS\\Periode\\Til", kDateRule},
}};

bool is_digits(std::string_view text, std::size_t size) noexcept {
    return text.size() == size && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error wrong_form(std::size_t field) {
    return feil(Code::field_form,
                "Feltet " + std::string(kRows[field].path) + " " + std::string(kRows[field].rule) + ".");
}

/// The value, or the sender's words for what is wrong with that field.
template <class T>
Result<T> in_field(Result<T> parsed, std::size_t field) {
    if (!parsed) return fail(wrong_form(field));
    return parsed;
}

}  // namespace

std::size_t HeaderFields::find(std::size_t parent, std::string_view name) noexcept {
    const auto row = std::find_if(kRows.begin(), kRows.end(),
                                  [&](const FieldRow& r) { return r.parent == parent && r.name == name; });
    return static_cast<std::size_t>(row - kRows.begin());
}

bool HeaderFields::is_group(std::size_t field) noexcept {
    return kRows[field].rule.empty();
}

std::string_view HeaderFields::path(std::size_t field) noexcept {
    return field == kTop ? "IPLOS" : kRows[field].path;
}

void HeaderFields::seen(std::size_t field, std::uint64_t line) {
    if (seen_[field]) {
        remember(feil(Code::header, "Feltet " + std::string(path(field)) + " står to ganger" + on_line(line) + "."));
    } else if (field < next_) {
        remember(
            feil(Code::header, "Feltet " + std::string(path(field)) + " står på feil plass" + on_line(line) + "."));
    }
    seen_[field] = true;
    next_ = std::max(next_, field + 1);
}

void HeaderFields::remember(Error problem) {
    if (!problem_) problem_ = std::move(problem);
}

Result<ExportHeader> HeaderFields::finish() const {
    for (std::size_t field = 0; field < count; ++field) {
        if (!seen_[field]) return fail(missing_field(path(field)));
    }
    if (problem_) return fail(*problem_);
    TPF_TRY(const auto type, in_field(pseudonym::parse_meldingstype(values_[meldingstype]), meldingstype));
    if (!is_digits(values_[kommunenummer], 4)) return fail(wrong_form(kommunenummer));
    if (!is_digits(values_[bydelsnummer], 2)) return fail(wrong_form(bydelsnummer));
    TPF_TRY(auto sender,
            in_field(Avsender::create(values_[kommunenummer], values_[bydelsnummer], values_[organisasjonsnummer]),
                     organisasjonsnummer));
    TPF_TRY(auto receiver, in_field(RegisterName::parse(values_[reg]), reg));
    TPF_TRY(const auto from, in_field(parse_date(values_[fra]), fra));
    TPF_TRY(const auto to, in_field(parse_date(values_[til]), til));
    return ExportHeader{type, std::move(sender), std::move(receiver), from, to};
}

}  // namespace tpf::krypteringsmodul
