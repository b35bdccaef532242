#pragma once
// An IPLOS export file (formats.md § 1) of any number of persons, written in a stream.

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "tests/tools/generator/numbers.h"
#include "tests/tools/generator/output.h"
#include "tests/tools/generator/person.h"

namespace tpf::generator {

struct ExportOptions {
    std::uint64_t persons = 0;
    NumberOptions numbers;  ///< their seed is the file's
    PersonOptions person;
    FileEncoding encoding = FileEncoding::utf8;
    std::string version = "3.7";
    std::string kommunenummer = "0301";
    std::string bydelsnummer = "00";
    std::string organisasjonsnummer = "974761076";
    std::string reg = "IPLOS";   ///< Mottaker/Register
    std::string type;            ///< Meldingstype; empty: KPR for the register KPR, else IPLOS
    double wrong_percent = 0;    ///< persons with a number that no rule takes
    double missing_percent = 0;  ///< persons with an empty Fodselsnummer
    std::string list;  ///< file that gets each person's number, one a line in order: "N", "wrong N", "missing"
};

struct Written {
    std::uint64_t persons = 0;
    std::uint64_t wrong = 0;
    std::uint64_t missing = 0;
    std::uint64_t bytes = 0;
};

/// Code::usage for options that go ill together or ask for too many persons of a kind, Code::io.
[[nodiscard]] Result<Written> write_export(const ExportOptions& options, const std::string& path);

}  // namespace tpf::generator
