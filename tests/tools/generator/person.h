#pragma once
// What an IPLOS export file says of one person: services, function variables, diagnoses, remarks. The element names are
// this project's own (the export XSD is not public); to the TPF all of it is opaque.

#include <cstddef>
#include <string>

#include "tests/tools/generator/random.h"

namespace tpf::generator {

struct PersonOptions {
    unsigned year = 2026;   ///< of the period: dates lie in it or before
    std::size_t bytes = 0;  ///< exactly so much content (as UTF-8); 0: as it comes, about 2 to 6 kB
};
/// The least `bytes` that can be met.
inline constexpr std::size_t kLeastPersonBytes = 64;

/// Appends the content of a Person after its Fodselsnummer: UTF-8, characters of ISO-8859-1 only, no names, and no run
/// of more than 10 digits, separators dropped, so that nobody's number can be in it.
void append_person(std::string& out, const PersonOptions& options, Random& random);

}  // namespace tpf::generator
