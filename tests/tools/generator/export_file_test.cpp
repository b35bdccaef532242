#include "tests/tools/generator/export_file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/transcode.h"

using namespace tpf;
using namespace tpf::generator;

namespace {

class Folder {
  public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("tpf-generator-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

ExportOptions some(std::uint64_t persons) {
    ExportOptions options;
    options.persons = persons;
    options.numbers.mix = parse_mix("mix").value();
    return options;
}

std::string content(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

std::string written(const Folder& folder, const ExportOptions& options) {
    const auto result = write_export(options, folder.file("export.xml"));
    REQUIRE_MESSAGE(result, (result ? std::string() : result.error().text()));
    const std::string bytes = content(folder.file("export.xml"));
    CHECK(result.value().bytes == bytes.size());
    return bytes;
}

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++n;
    return n;
}

/// The first person's, after the number.
std::string first_content(const std::string& file) {
    const std::size_t start = file.find("</Fodselsnummer>");
    return file.substr(start, file.find("</Person>") - start);
}

/// Longest run of digits, space, '-' and '.' dropped.
std::size_t longest_run(std::string_view text) {
    std::size_t longest = 0;
    std::size_t run = 0;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            longest = std::max(longest, ++run);
        } else if (c != ' ' && c != '\n' && c != '-' && c != '.') {
            run = 0;
        }
    }
    return longest;
}

}  // namespace

TEST_SUITE("generator/export_file") {
    TEST_CASE("header, persons and end; the same seed gives the same bytes") {
        const Folder folder;
        const std::string file = written(folder, some(300));
        CHECK(
            file.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<IPLOS versjon=\"3.7\">\n"
                             " <Meldingstype>IPLOS</Meldingstype>\n"));
        CHECK(file.ends_with("</Person>\n</IPLOS>\n"));
        CHECK(count(file, "<Person>") == 300);
        CHECK(count(file, "<Variabel ") == 17 * 300);
        CHECK(written(folder, some(300)) == file);
        ExportOptions other = some(300);
        other.numbers.seed = 2;
        const std::string other_file = written(folder, other);
        CHECK(first_content(other_file) != first_content(file));
        CHECK(count(other_file, "<Person>") == 300);
    }

    TEST_CASE("all encodings say the same") {
        const Folder folder;
        ExportOptions options = some(200);
        const auto text = [&](FileEncoding encoding, const char* name) {
            options.encoding = encoding;
            std::string bytes = written(folder, options);
            if (encoding == FileEncoding::latin1) {
                std::string out;
                Transcoder transcoder(Encoding::latin1);
                REQUIRE(transcoder.update(bytes, out));
                bytes = out;
            } else {
                bytes = to_utf8(bytes).value();
            }
            const std::size_t at = bytes.find(name);
            REQUIRE(at != bytes.npos);
            return bytes.replace(at, std::string_view(name).size(), "X");
        };
        const std::string utf8 = text(FileEncoding::utf8, "UTF-8");
        CHECK(utf8.find("støttestrømper") != utf8.npos);
        CHECK(text(FileEncoding::utf8_bom, "UTF-8") == utf8);
        CHECK(text(FileEncoding::utf16, "UTF-16") == utf8);
        CHECK(text(FileEncoding::utf16be, "UTF-16") == utf8);
        CHECK(text(FileEncoding::latin1, "ISO-8859-1") == utf8);
    }

    TEST_CASE("so many bytes per person") {
        const Folder folder;
        for (const std::size_t bytes :
             {std::size_t{64}, std::size_t{65}, std::size_t{200}, std::size_t{7000}, std::size_t{20'001}}) {
            ExportOptions options = some(20);
            options.person.bytes = bytes;
            const std::string file = written(folder, options);
            constexpr std::string_view kEnd = "</Fodselsnummer>";
            std::size_t persons = 0;
            for (std::size_t at = file.find(kEnd); at != file.npos; at = file.find(kEnd, at + 1)) {
                CHECK(file.find("</Person>", at) - at - kEnd.size() == bytes);
                ++persons;
            }
            CHECK(persons == 20);
        }
        ExportOptions options = some(1);
        options.person.bytes = 63;
        CHECK(write_export(options, folder.file("x")).error().code() == Code::usage);
    }

    TEST_CASE("no content holds digits enough for a number") {
        for (const std::size_t bytes : {std::size_t{0}, std::size_t{300}, std::size_t{9000}}) {
            PersonOptions options;
            options.bytes = bytes;
            for (std::uint64_t seed = 0; seed < 2000; ++seed) {
                Random random(seed);
                std::string text;
                append_person(text, options, random);
                CHECK(longest_run(text) < 11);
            }
        }
    }

    TEST_CASE("wrong and missing numbers, and the list of all") {
        const Folder folder;
        ExportOptions options = some(2000);
        options.wrong_percent = 10;
        options.missing_percent = 5;
        options.list = folder.file("list");
        const auto result = write_export(options, folder.file("export.xml")).value();
        const std::string file = content(folder.file("export.xml"));
        const std::string list = content(options.list);
        CHECK((result.wrong > 120 && result.wrong < 290));
        CHECK((result.missing > 50 && result.missing < 160));
        CHECK(count(file, "<Fodselsnummer/>") + count(file, "<Fodselsnummer></Fodselsnummer>") == result.missing);
        CHECK(count(list, "wrong ") == result.wrong);
        CHECK(count(list, "missing\n") == result.missing);
        CHECK(count(list, "\n") == 2000);
    }

    TEST_CASE("sender and register are checked") {
        const Folder folder;
        ExportOptions options = some(1);
        options.kommunenummer = "301";
        CHECK(write_export(options, folder.file("x")).error().code() == Code::kommunenummer);
        options = some(1);
        options.organisasjonsnummer = "974761077";
        CHECK(!write_export(options, folder.file("x")));
        options = some(1);
        options.reg = "kpr";
        CHECK(!write_export(options, folder.file("x")));
        options.reg = "KPR";
        CHECK(count(written(folder, options), "<Meldingstype>KPR</Meldingstype>") == 1);
    }
}
