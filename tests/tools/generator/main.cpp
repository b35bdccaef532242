// tpf-generate: realistic IPLOS export files of any size, or identity numbers, for demo, tests and benchmarks.

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <map>

#include "tests/tools/generator/export_file.h"

namespace {

using namespace tpf::generator;

struct Arguments {
    ExportOptions options;
    std::string kinds = "mix";
    std::string out;
    std::uint64_t numbers = 0;
    bool production_like = false;
};

template <class T>
void add_choice(CLI::App& app, const std::string& name, T& target, std::map<std::string, T> words,
                const std::string& what) {
    app.add_option(name, target, what)->transform(CLI::CheckedTransformer(std::move(words)));
}

void add_number_options(CLI::App& app, Arguments& arguments) {
    NumberOptions& numbers = arguments.options.numbers;
    app.add_option("--seed", numbers.seed, "the same seed gives the same file (default 1)");
    app.add_option("--kinds,--kind", arguments.kinds,
                   "mix (what a register takes by default), all, or fodselsnummer, d-nummer, h-nummer, fh-nummer, "
                   "duf-nummer, npid");
    add_choice<Rule>(app, "--rule", numbers.rule,
                     {{"old", Rule::old}, {"2032", Rule::relaxed_2032}, {"both", Rule::both}},
                     "rule of the first control digit: old, 2032 (only), both (default: one in ten under 2032 only)");
    add_choice<Synthetic>(app, "--synthetic", numbers.synthetic,
                          {{"tenor", Synthetic::tenor}, {"syntpop", Synthetic::syntpop}, {"none", Synthetic::none}},
                          "how numbers show that they are nobody's: tenor (default), syntpop, none");
    app.add_flag("--production-like", arguments.production_like,
                 "numbers without a synthetic mark, as a production installation takes them; they may be somebody's");
}

void add_file_options(CLI::App& app, Arguments& arguments) {
    ExportOptions& options = arguments.options;
    app.add_option("--persons", options.persons, "write an export file of so many persons");
    app.add_option("--out", arguments.out, "the file, - for standard output");
    app.add_option("--list", options.list, "also write each person's number to this file, one a line");
    add_choice<FileEncoding>(app, "--encoding", options.encoding,
                             {{"utf-8", FileEncoding::utf8},
                              {"utf-8-bom", FileEncoding::utf8_bom},
                              {"utf-16", FileEncoding::utf16},
                              {"utf-16be", FileEncoding::utf16be},
                              {"iso-8859-1", FileEncoding::latin1}},
                             "utf-8 (default), utf-8-bom, utf-16 (little-endian, with BOM), utf-16be, iso-8859-1");
    app.add_option("--kommune", options.kommunenummer, "kommunenummer (default 0301)");
    app.add_option("--bydel", options.bydelsnummer, "bydelsnummer (default 00)");
    app.add_option("--orgnr", options.organisasjonsnummer, "organisasjonsnummer (default 974761076)");
    app.add_option("--register", options.reg, "Mottaker/Register (default IPLOS)");
    app.add_option("--meldingstype", options.type, "Meldingstype (default: KPR for the register KPR, else IPLOS)")
        ->check(CLI::IsMember({"IPLOS", "KPR"}));
    app.add_option("--versjon", options.version, "version of the export format (default 3.7)");
    app.add_option("--year", options.person.year, "year of the period (default 2026)")->check(CLI::Range(1900, 2999));
    app.add_option("--invalid-percent", options.wrong_percent, "persons with a wrong number")
        ->check(CLI::Range(0.0, 100.0));
    app.add_option("--missing-percent", options.missing_percent, "persons without a number")
        ->check(CLI::Range(0.0, 100.0));
    app.add_option("--bytes-per-person", options.person.bytes, "exactly so much content each (default: as it comes)");
}

int report(const tpf::Error& error) {
    std::cerr << "error: " << error.text() << "\n";
    return 1;
}

int print_numbers(const Arguments& arguments) {
    auto source = NumberSource::create(arguments.options.numbers);
    if (!source) return report(source.error());
    std::ios::sync_with_stdio(false);
    for (std::uint64_t i = 0; i < arguments.numbers; ++i) {
        const auto number = source.value().next();
        if (!number) return report(tpf::Error(tpf::Code::usage, "there are not so many different numbers of a kind"));
        std::cout << *number << '\n';
    }
    return std::cout.flush() ? 0 : 1;
}

int write_file(const Arguments& arguments) {
    const auto written = write_export(arguments.options, arguments.out);
    if (!written) return report(written.error());
    std::cerr << written.value().persons << " persons (" << written.value().wrong << " with a wrong number, "
              << written.value().missing << " without), " << written.value().bytes << " bytes\n";
    return 0;
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("Generates IPLOS export files, or identity numbers (--numbers N), for tests.", "tpf-generate");
    app.add_option("--numbers", arguments.numbers, "print so many different numbers, one a line");
    add_number_options(app, arguments);
    add_file_options(app, arguments);
    CLI11_PARSE(app, argc, argv);
    if (arguments.production_like) arguments.options.numbers.synthetic = Synthetic::none;
    auto mix = parse_mix(arguments.kinds);
    if (!mix) return report(mix.error());
    arguments.options.numbers.mix = std::move(mix).value();
    if (arguments.numbers > 0) return print_numbers(arguments);
    if (arguments.out.empty()) return report(tpf::Error(tpf::Code::usage, "--out FILE or --numbers N is needed"));
    return write_file(arguments);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return 1;
    }
}
