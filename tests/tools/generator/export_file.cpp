#include "tests/tools/generator/export_file.h"

#include <optional>

namespace tpf::generator {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;

std::string_view declared(FileEncoding encoding) {
    switch (encoding) {
        case FileEncoding::utf8:
        case FileEncoding::utf8_bom:
            return "UTF-8";
        case FileEncoding::utf16:
        case FileEncoding::utf16be:
            return "UTF-16";
        case FileEncoding::latin1:
            return "ISO-8859-1";
    }
    return {};
}

void append_leaf(std::string& out, std::string_view name, std::string_view value) {
    out.append("<").append(name).append(">").append(value).append("</").append(name).append(">");
}

std::string head(const ExportOptions& options) {
    std::string out = "<?xml version=\"1.0\" encoding=\"" + std::string(declared(options.encoding)) + "\"?>\n";
    out += "<IPLOS versjon=\"" + options.version + "\">\n ";
    const std::string_view by_register = options.reg == "KPR" ? "KPR" : "IPLOS";
    append_leaf(out, "Meldingstype", options.type.empty() ? by_register : options.type);
    out += "\n <Avsender>\n  ";
    append_leaf(out, "Kommunenummer", options.kommunenummer);
    append_leaf(out, "Bydelsnummer", options.bydelsnummer);
    append_leaf(out, "Organisasjonsnummer", options.organisasjonsnummer);
    out += "\n </Avsender>\n <Mottaker>";
    append_leaf(out, "Register", options.reg);
    out += "</Mottaker>\n <Periode>";
    append_leaf(out, "Fra", std::to_string(options.person.year) + "-01-01");
    append_leaf(out, "Til", std::to_string(options.person.year) + "-12-31");
    return out + "</Periode>\n";
}

/// One export file being written, and its list of numbers.
class Writer {
  public:
    Writer(const ExportOptions& options, NumberSource numbers, Output file, std::optional<Output> list)
        : options_(options), numbers_(std::move(numbers)), file_(std::move(file)), list_(std::move(list)) {}

    Result<Written> write() {
        text_ = head(options_);
        for (std::uint64_t i = 0; i < options_.persons; ++i) {
            TPF_TRY(append_one(i));
            if (text_.size() >= kChunk) {
                TPF_TRY(flush());
            }
        }
        text_ += "</IPLOS>\n";
        TPF_TRY(flush());
        written_.persons = options_.persons;
        written_.bytes = file_.bytes();
        return written_;
    }

  private:
    /// Each person has a chance of its own, so that the same person comes out whatever is asked of the others.
    Status append_one(std::uint64_t index) {
        Random random(mix(options_.numbers.seed) + index);
        text_ += " <Person>\n   ";
        TPF_TRY(append_number(random));
        append_person(text_, options_.person, random);
        text_ += "</Person>\n";
        return ok();
    }

    Status append_number(Random& random) {
        const bool missing = random.percent(options_.missing_percent);
        const bool wrong = !missing && random.percent(options_.wrong_percent);
        if (missing) {
            ++written_.missing;
            names_ += "missing\n";
            text_ += random.one_in(2) ? "<Fodselsnummer/>" : "<Fodselsnummer></Fodselsnummer>";
            return ok();
        }
        const auto number = wrong ? numbers_.next_wrong() : numbers_.next();
        if (!number) return fail(Code::usage, "there are not so many different numbers of a kind");
        written_.wrong += wrong ? 1 : 0;
        names_.append(wrong ? "wrong " : "").append(*number).append("\n");
        append_leaf(text_, "Fodselsnummer", *number);
        return ok();
    }

    Status flush() {
        TPF_TRY(file_.write(text_));
        text_.clear();
        if (list_) {
            TPF_TRY(list_->write(names_));
        }
        names_.clear();
        return ok();
    }

    const ExportOptions& options_;
    NumberSource numbers_;
    Output file_;
    std::optional<Output> list_;
    std::string text_;
    std::string names_;
    Written written_;
};

Status check(const ExportOptions& options) {
    TPF_TRY(Avsender::create(options.kommunenummer, options.bydelsnummer, options.organisasjonsnummer));
    TPF_TRY(RegisterName::parse(options.reg));
    const std::size_t bytes = options.person.bytes;
    if (bytes != 0 && bytes < kLeastPersonBytes) return fail(Code::usage, "a person has at least 64 bytes");
    return ok();
}

}  // namespace

Result<Written> write_export(const ExportOptions& options, const std::string& path) {
    TPF_TRY(check(options));
    TPF_TRY(auto numbers, NumberSource::create(options.numbers));
    TPF_TRY(auto file, Output::create(path, options.encoding));
    std::optional<Output> list;
    if (!options.list.empty()) {
        TPF_TRY(auto list_file, Output::create(options.list, FileEncoding::utf8));
        list.emplace(std::move(list_file));
    }
    return Writer(options, std::move(numbers), std::move(file), std::move(list)).write();
}

}  // namespace tpf::generator
